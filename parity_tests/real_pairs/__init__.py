"""Pairs that others wrote, and PyTorch definitions of models that Keras ships."""
