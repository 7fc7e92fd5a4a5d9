"""Tests of the ladder, of records and of their comparison."""
