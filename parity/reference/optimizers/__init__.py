"""Optimizers: table, spec, NumPy formulas and known differences."""
