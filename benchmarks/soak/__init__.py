"""Clean pairs, none of which may be called DIFFERENT: ``python -m benchmarks.soak``."""
