"""One classifier a file, each with a twin of the same name in ``keras_impl.models``."""
