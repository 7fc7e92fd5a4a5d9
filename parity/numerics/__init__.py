"""Numbers without a framework: tolerances, distances, random streams, statistics."""
