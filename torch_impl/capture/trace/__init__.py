"""Recording of every module and function call that a PyTorch model makes while it runs."""
