"""Files, processes, memory and JSON."""
