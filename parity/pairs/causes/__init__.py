"""Causes of a divergence: known differences, each proven by applying its fix."""
