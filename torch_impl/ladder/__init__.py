"""The model in training and evaluation, as the ladder needs it."""
