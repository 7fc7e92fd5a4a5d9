"""Training throughput: every way to train the same models, measured side by side."""
