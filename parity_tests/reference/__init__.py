"""Tests of the NumPy references and of the catalogue."""
