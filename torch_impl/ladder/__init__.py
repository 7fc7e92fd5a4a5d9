"""Training, evaluation and tracing of the project's own PyTorch models, for records."""
