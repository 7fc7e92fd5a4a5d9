"""Weights whose names, shapes or owners differ between the two models."""
