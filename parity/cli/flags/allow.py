"""The flag ``--allow RUNG LIMIT REASON``, which replaces a tolerance of the float64 table."""

from __future__ import annotations

import argparse
from typing import Any

from parity import rungs
from parity.numerics.tolerance import EXACT, FLOAT64, Allowed
from parity.options import Accepts

RUNGS = tuple(rung for rung in rungs.TITLES if FLOAT64[rung] != EXACT)
"""Rungs with a tolerance; at the others, values must be equal."""


class Allow(argparse.Action):
    """Collects rung, limit and reason, each rung once; reports errors in one line."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Add a tolerance to those of earlier flags."""
        rung, limit, reason = values
        given = dict(getattr(namespace, self.dest))
        known = [name for name in RUNGS if name not in given]
        if rung not in known:
            parser.error(f"--allow: rung: received {rung!r}, accepted: one of {', '.join(known)}")
        accepts = Accepts(float, above=0, below=1)
        try:
            number = float(limit)
        except ValueError:
            number = -1.0
        if not accepts.admits(number):
            parser.error(f"--allow: limit: received {limit!r}, accepted: {accepts.describe()}")
        if not reason.strip():
            parser.error(f"--allow: reason: received {reason!r}, accepted: a few words")
        setattr(namespace, self.dest, given | {rung: Allowed(number, reason.strip(), True)})


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add the flag; ``allow`` of the namespace is a dict of tolerances by rung."""
    parser.add_argument(
        "--allow",
        nargs=3,
        action=Allow,
        default={},
        metavar=("RUNG", "LIMIT", "REASON"),
        help="allow a float64 difference of LIMIT, relative to the largest entry, at a rung "
        f"({', '.join(RUNGS)}); the report prints the reason",
    )
