"""Metrics: table and known differences."""
