"""Pairs of models as users write them, by kind of layer."""
