"""What Keras computes, in NumPy, with the known differences to PyTorch beside it."""
