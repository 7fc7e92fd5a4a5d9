"""Pairs of models of a user's own."""
