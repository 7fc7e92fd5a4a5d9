"""Readers of a Keras layer's configuration and weights, in canonical form."""
