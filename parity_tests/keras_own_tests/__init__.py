"""Keras 3's own unit tests, run with the classes of ``torch_impl`` instead of Keras's."""
