"""Metrics: their table and the known differences."""
