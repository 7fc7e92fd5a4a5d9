"""Faults injected into pairs of models, and what a check must report."""
