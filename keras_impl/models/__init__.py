"""The Keras classifiers, one file each; twins: ``torch_impl.models``."""
