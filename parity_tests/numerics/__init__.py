"""Tests of distances, random streams and statistics."""
