"""Tests of the record, the file form of what a side computed."""
