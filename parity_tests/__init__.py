"""The test suite: six guarantees at the top level, everything else in folders by subject."""
