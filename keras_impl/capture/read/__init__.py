"""The configuration and weights of layers, in canonical form."""
