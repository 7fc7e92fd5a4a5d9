"""The forward pass of a pair in evaluation mode."""
