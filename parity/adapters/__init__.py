"""Protocols: what a framework's implementation must provide."""
