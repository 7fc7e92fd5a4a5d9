"""Classes with Keras's names and arguments that compute with ``torch_impl``."""
