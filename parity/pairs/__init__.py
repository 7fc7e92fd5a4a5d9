"""The check and the weight conversion of any pair of a Keras and a PyTorch model."""
