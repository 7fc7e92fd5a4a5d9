"""Tests of checks on pairs of models as users write them, without a spec."""
