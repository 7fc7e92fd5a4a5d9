"""A pair in training: forward pass, loss, gradients, optimizer steps."""
