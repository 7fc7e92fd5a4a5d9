"""Tests of both implementations of the classifiers."""
