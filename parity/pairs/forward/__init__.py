"""Comparison of a pair's forward pass in evaluation mode."""
