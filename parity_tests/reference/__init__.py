"""NumPy references and the catalogue."""
