"""The command line that every ``datasets/*/prepare.py`` has: ``--source`` and ``--out``."""

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
    """Print the result of ``prepare(source, out)``; return exit code 0, or 2 after an error.

    Args:
        prepare: function of the two paths that returns a message.
        argv: arguments of the command line; None for those of the process.
        description: of the command.
        source: further arguments for argparse's ``--source``.
        out: further arguments for argparse's ``--out``.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--source", type=Path, **source)
    parser.add_argument("--out", type=Path, **out)
    args = parser.parse_args(argv)
    try:
        print(prepare(args.source, args.out))
    except ParityError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0
