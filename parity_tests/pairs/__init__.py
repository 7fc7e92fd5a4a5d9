"""Pairs of models as users write them: no spec of ours, each framework's own classes."""
