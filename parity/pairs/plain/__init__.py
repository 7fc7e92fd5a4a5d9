"""Both models as their owners run them, to verify what the comparison found."""
