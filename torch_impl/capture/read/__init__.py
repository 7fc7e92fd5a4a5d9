"""The configuration and weights of modules and functions, in canonical form."""
