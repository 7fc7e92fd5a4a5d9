"""Tests of the data sets and their batches."""
