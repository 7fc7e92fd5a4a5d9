"""Capture of any Keras model as a sequence of layer calls; twin: ``torch_impl.capture``.

The Keras version is that of the model's class, whatever Keras version the process otherwise uses.
"""
