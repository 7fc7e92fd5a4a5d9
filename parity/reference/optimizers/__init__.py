"""Optimizers: which there are, the spec of one, and Keras's formulas as a NumPy reference."""
