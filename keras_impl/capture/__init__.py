"""Any Keras model, seen as a sequence of layers. Twin: ``torch_impl/capture``.

Keras 2 and Keras 3 are told from the object; nothing here depends on the flavour of the process.
"""
