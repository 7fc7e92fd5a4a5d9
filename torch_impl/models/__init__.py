"""The PyTorch classifiers, one file each; twins: ``keras_impl.models``."""
