"""PyTorch definitions of models that Keras ships, written from the papers' tables."""
