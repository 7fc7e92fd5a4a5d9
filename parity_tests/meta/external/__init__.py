"""The external test sets fail for a wrong implementation."""
