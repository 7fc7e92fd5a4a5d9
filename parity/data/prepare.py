"""The command line of every ``datasets/*/prepare.py``: ``--source``, ``--out``, one-line errors."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from parity.errors import ParityError


def run(
    prepare: Callable[[Any, Any], str],
    argv: Sequence[str] | None,
    description: str,
    *,
    source: dict[str, Any],
    out: dict[str, Any],
) -> int:
    """Print what ``prepare(source, out)`` returns; return 0, or 2 after an error in one line.

    ``source`` and ``out`` are what argparse is told about either path beside its type.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--source", type=Path, **source)
    parser.add_argument("--out", type=Path, **out)
    given = parser.parse_args(argv)
    try:
        print(prepare(given.source, given.out))
    except ParityError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0
