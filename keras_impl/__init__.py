"""The Keras implementation of every registered classifier; its twin is ``torch_impl``."""
