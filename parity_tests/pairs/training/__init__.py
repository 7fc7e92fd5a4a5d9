"""Pairs in training."""
