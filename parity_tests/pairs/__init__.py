"""Pairs of models as users write them: how they are compared, and what is said of them."""
