"""Run a command of an implementation in this process, where its framework is imported already."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable

import pytest

from parity.cli import parser

Run = Callable[..., str]
"""Runs ``python -m <first argument>_impl`` with the other arguments; returns what it prints."""


def run_here(entry: str, *flags: object) -> str:
    """Run ``python -m <entry>_impl``, which must succeed; return what it prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), pytest.raises(SystemExit) as ended:
        parser.backend_main(entry, [*map(str, flags)])
    assert ended.value.code == 0
    return printed.getvalue()
