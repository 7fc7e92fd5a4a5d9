"""Training, evaluation and tracing of the project's own Keras models, for records."""
