"""Keras's own pieces written for PyTorch, against Keras's."""
