"""Readers of a PyTorch module's or function's configuration and weights, in canonical form."""
