"""NumPy references of what Keras computes, with the known differences in PyTorch."""
