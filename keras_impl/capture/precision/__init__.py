"""Computing in a dtype that Keras, or a user's code, does not compute in by itself."""
