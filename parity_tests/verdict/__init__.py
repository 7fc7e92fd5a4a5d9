"""Tests of the verdict: made-up records, compared without a framework."""
