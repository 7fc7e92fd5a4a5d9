"""Capture of any PyTorch model as a sequence of layer calls; twin: ``keras_impl.capture``."""
