"""Proof that the checks can fail, and the rules of the repository."""
