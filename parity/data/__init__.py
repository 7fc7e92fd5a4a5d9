"""Data sets: loading, checking, batching."""
