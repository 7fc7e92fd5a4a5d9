"""Comparison of a pair in training: forward pass, loss, gradients, optimizer steps."""
