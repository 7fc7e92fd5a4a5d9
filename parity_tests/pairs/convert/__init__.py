"""Tests of weight conversion."""
