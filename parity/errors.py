"""The one error a user sees: a line that names the value received and what is accepted."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
LONGEST = 300


class ParityError(Exception):
    """Wrong use or unusable input. Entry points print it as one line and exit with code 2."""


def said(error: BaseException) -> str:
    """Another's error as a part of a line: its class, and the first line of what it says."""
    return f"{type(error).__name__}: {first_line(str(error))}".rstrip(": ")


def first_line(text: str) -> str:
    """The first line that has something in it, without colours, cut off where it is long."""
    lines = (line.strip() for line in COLOURS.sub("", text).splitlines())
    return next((line for line in lines if line), "")[:LONGEST]


def shapes(tensors: Iterable[Any]) -> str:
    """Of arrays or tensors of any framework, as a part of a line."""
    return ", ".join(str(tuple(one.shape)) for one in tensors)
