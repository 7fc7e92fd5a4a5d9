"""The one error a user sees: a line that names the value received and what is accepted."""

from __future__ import annotations


class ParityError(Exception):
    """Wrong use or unusable input. Entry points print it as one line and exit with code 2."""
