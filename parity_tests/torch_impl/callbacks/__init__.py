"""Tests of Keras's callbacks written for PyTorch."""
