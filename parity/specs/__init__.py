"""What a model and its training are, said once and framework-free."""
