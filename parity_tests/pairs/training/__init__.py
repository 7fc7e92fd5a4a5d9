"""Tests of checks in training mode."""
