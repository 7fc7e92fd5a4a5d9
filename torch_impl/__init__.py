"""The PyTorch implementation of every registered classifier; its twin is ``keras_impl``."""
