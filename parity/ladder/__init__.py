"""Records: the ladder is run, written to disk, read back and replayed."""
