"""Any PyTorch model, seen as a sequence of layers. Twin: ``keras_impl/capture``."""
