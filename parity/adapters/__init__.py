"""What an implementation must provide, as protocols."""
