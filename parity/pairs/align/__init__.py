"""Alignment of a pair: which Keras layer corresponds to which PyTorch module."""
