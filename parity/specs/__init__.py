"""Specs: framework-independent descriptions of a model and its training."""
