"""Losses: their formulas, their table and the known differences."""
