"""ParityError, the error reported to users, and helpers to write its one-line messages."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
LONGEST = 300
"""Most characters of another library's message that a line quotes."""


class ParityError(Exception):
    """Wrong use or unusable input; the command line prints it as one line and exits with code 2.

    The message states the value received and what is accepted.
    """


def describe_error(error: BaseException) -> str:
    """Return an exception's class name and the first line of its message."""
    return f"{type(error).__name__}: {first_line(str(error))}".rstrip(": ")


def first_line(text: str) -> str:
    """Return the first line that is not blank, without colour codes, cut to ``LONGEST``."""
    lines = (line.strip() for line in COLOURS.sub("", text).splitlines())
    return next((line for line in lines if line), "")[:LONGEST]


def format_shapes(tensors: Iterable[Any]) -> str:
    """Return the shapes of arrays or tensors of any framework as text: ``(2, 3), (4,)``."""
    return ", ".join(str(tuple(one.shape)) for one in tensors)
