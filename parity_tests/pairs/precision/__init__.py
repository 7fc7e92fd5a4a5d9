"""Pairs in float32, and numbers that are not finite."""
