"""Convolution and pooling layers, one file per kind."""
