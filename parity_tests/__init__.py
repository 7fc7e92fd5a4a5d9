"""The test suite: six guarantees at the top, the rest by subject."""
