"""One classifier a file, each with a twin of the same name in ``torch_impl.models``."""
