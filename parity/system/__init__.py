"""Files, processes and memory: what has nothing to do with models."""
