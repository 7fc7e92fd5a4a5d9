"""Reports of a comparison: terminal text and JSON."""
