"""Tests of the tests: injected faults, misleading comparisons, and the repository's rules."""
