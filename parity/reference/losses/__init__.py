"""Losses: formulas, table and known differences."""
