"""Both implementations of the classifiers."""
