"""Tolerances, distances, random streams and statistics, in NumPy."""
