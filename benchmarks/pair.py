"""Time and memory of checking a pair of models, each in a separate process."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from benchmarks.figures import figure

CHILD = "benchmarks.pair_child"


def measure(repeats: int, quick: bool = False) -> dict[str, Any]:
    """Seconds, peak bytes and verdict of each pair in :data:`benchmarks.pair_child.PAIRS`.

    Where it must be quick, the first, once.
    """
    from benchmarks.pair_child import PAIRS

    found: dict[str, Any] = {}
    for name in [*PAIRS][:1] if quick else PAIRS:
        told = [_told(name) for _ in range(1 if quick else repeats)]
        found[name] = {
            "seconds": figure(one["seconds"] for one in told),
            "memory": figure(one["memory"] for one in told),
            "verdict": told[-1]["verdict"],
        }
        print(
            f"  {name}: {found[name]['seconds']['median']:.0f} s, "
            f"{found[name]['memory']['most'] / 1e9:.1f} GB",
            flush=True,
        )
    return found


def _told(name: str) -> dict[str, Any]:
    command = [sys.executable, "-m", CHILD, name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told
