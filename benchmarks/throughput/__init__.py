"""Training throughput of the same models in every available training loop."""
