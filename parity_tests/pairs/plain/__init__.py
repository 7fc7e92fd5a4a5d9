"""Tests of the plain run."""
