"""Distances, random streams, statistics."""
