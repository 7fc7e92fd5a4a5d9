"""Layers that slide a window over their input, one file per kind."""
