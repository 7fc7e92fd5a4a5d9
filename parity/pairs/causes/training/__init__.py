"""Causes of differences in training: losses, gradients, optimizers, dropout."""
