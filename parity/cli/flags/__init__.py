"""Command-line flags that several commands share, and their conversion to specs and options."""
