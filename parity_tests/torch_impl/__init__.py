"""Tests of Keras's losses, optimizers, metrics and callbacks written for PyTorch."""
