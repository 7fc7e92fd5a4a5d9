"""Which Keras layer corresponds to which PyTorch module."""
