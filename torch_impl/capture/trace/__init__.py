"""Every call that a model makes while it runs."""
