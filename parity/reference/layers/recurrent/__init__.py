"""Recurrent layers, one file per kind."""
