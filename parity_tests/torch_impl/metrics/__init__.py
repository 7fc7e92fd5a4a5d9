"""Tests of Keras's metrics written for PyTorch."""
