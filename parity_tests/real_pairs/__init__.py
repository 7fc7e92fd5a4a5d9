"""Pairs from public projects, and PyTorch definitions of models that Keras provides."""
