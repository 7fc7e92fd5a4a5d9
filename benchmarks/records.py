"""Speed and memory of ``parity compare`` for two large records.

Against ``torch.testing.assert_close``, ``np.testing.assert_allclose`` and ``np.allclose`` on the
same tensors, which those have in memory; all in turns, so that a busy machine slows all of them.
Then what starting up takes.

    python -m benchmarks.records
    python -m benchmarks.records --size 2 --repeats 9 --json records.json

A speed is the bytes of both records' tensors together, per second; a record's files lie in the
page cache. ``compare`` is the comparison alone, with every statistic it reports; its process also
starts Python, checks both checksums and prints.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.figures import Figure, figure, ratio, text
from parity import rungs
from parity.ladder import record
from parity_tests.support import records

SIZE, FLAT, REPEATS = 1.0, (0.25, 2.0), 5
QUICK = 0.1
"""Gigabytes of a record: the default, one to show constant memory, and one if ``quick``."""

DTYPES = ("float64", "float32")
STEPS = 2
BYTES_PER_ENTRY = 6 * (8 + 4)
"""Tensors per parameter: itself, its gradient, two slots, itself after one and two steps."""

COMPARE = [sys.executable, "-m", "benchmarks.records_child", "compare"]
START = [sys.executable, "-c", "from parity.cli import main; main()"]

Tensors = dict[str, np.ndarray]


def measure(
    size: float = SIZE,
    repeats: int = REPEATS,
    flat: tuple[float, ...] = FLAT,
    quick: bool = False,
) -> dict[str, Any]:
    """Write records into a temporary folder and measure.

    Args:
        size: gigabytes of one record's tensors.
        repeats: how often each figure is taken; its median and range are given.
        flat: other sizes, whose comparison's memory is measured.
        quick: small records and three repeats, for less than 20 s.

    Returns:
        ``size`` in bytes (of both records), ``repeats``, and under ``speeds`` (GB/s),
        ``seconds``, ``memory`` (gigabytes of a record to bytes) and ``start`` (seconds) figures of
        ``median``, ``least`` and ``most``; ``ratios`` of speeds to that of assert_close;
        ``frameworks`` that comparing imported.

    Raises:
        RuntimeError: the comparison did not end with SAME.
    """
    if quick:
        size, repeats, flat = QUICK, 3, (QUICK / 2,)
    with tempfile.TemporaryDirectory(prefix="records-") as folder:
        paths, sides = write(Path(folder) / "large", size)
        total = sum(values.nbytes for side in sides for values in side.values())
        taken, told = _in_turns(paths, sides, repeats)
        del sides
        seconds = {name: figure(values) for name, values in taken.items()}
        speeds = {
            name: figure([total / value / 1e9 for value in values])
            for name, values in taken.items()
            if name != "compare, whole process"
        }
        memory = {f"{size:g}": figure([answer["memory"] for answer in told])}
        for other in flat:
            paths, _ = write(Path(folder) / f"{other:g}", other)
            memory[f"{other:g}"] = figure(
                [_compared(paths)["memory"] for _ in range(min(repeats, 3))]
            )
        start = _start(Path(folder), repeats)
    return {
        "size": total,
        "repeats": repeats,
        "ratios": {name: ratio(one, speeds["assert_close"]) for name, one in speeds.items()},
        "speeds": speeds,
        "seconds": seconds,
        "memory": memory,
        "start": start,
        "frameworks": sorted({name for answer in told for name in answer["frameworks"]}),
    }


def write(folder: Path, size: float) -> tuple[list[Path], list[Tensors]]:
    """Write two ladder records of ``size`` gigabytes each that differ by rounding.

    Returns:
        Their paths and their tensors.
    """
    width = max(round(math.sqrt(size * 1e9 / BYTES_PER_ENTRY)), 4)
    spec = records.spec(hidden=(width, width))
    rng = np.random.default_rng(1)
    paths, sides = [], []
    for backend in ("keras", "torch"):
        header = records.header(backend, spec, DTYPES, steps=STEPS)
        tensors = records.tensors(header)
        if sides:
            tensors = {name: _rounded(name, values, rng) for name, values in tensors.items()}
        record.write(folder / backend, header, tensors)
        paths.append(folder / backend)
        sides.append(tensors)
    return paths, sides


def _rounded(name: str, values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The values, changed by up to two roundings."""
    if rungs.role_of(*rungs.split(name)[1:]).kind not in ("gradient", "slot", "weight"):
        return values
    moved = rng.integers(-2, 3, values.shape, np.int8)
    return np.asarray(values * (1 + moved * np.finfo(values.dtype).eps), values.dtype)


def _in_turns(
    paths: list[Path], sides: list[Tensors], repeats: int
) -> tuple[dict[str, list[float]], list[Figure]]:
    """Seconds of every contestant, and the figures printed by the comparing processes."""
    import torch

    tensors = [{name: torch.from_numpy(v) for name, v in side.items()} for side in sides]
    functions: dict[str, tuple[Callable[[Any, Any], Any], list[Mapping[str, Any]]]] = {
        "assert_close": (torch.testing.assert_close, [*tensors]),
        "assert_allclose": (functools.partial(np.testing.assert_allclose, rtol=1e-5), [*sides]),
        "allclose": (np.allclose, [*sides]),
        "plain reading": (lambda x, y: (x.max(), y.max()), [*sides]),
    }
    taken: dict[str, list[float]] = {}
    told = []
    for _ in range(repeats):
        for name, (function, (a, b)) in functions.items():
            began = time.perf_counter()
            for key in a:
                function(a[key], b[key])
            taken.setdefault(name, []).append(time.perf_counter() - began)
        began = time.perf_counter()
        answer = _compared(paths)
        taken.setdefault("compare, whole process", []).append(time.perf_counter() - began)
        taken.setdefault("compare", []).append(answer["comparison"])
        taken.setdefault("checksums", []).append(answer["checksums"])
        told.append(answer)
    return taken, told


def _compared(paths: list[Path]) -> Figure:
    """Compare in a separate process; return the figures that it prints."""
    done = subprocess.run([*COMPARE, *map(str, paths)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"parity compare: exit code {done.returncode}: {done.stderr.strip()}")
    answer: Figure = json.loads(done.stderr.splitlines()[-1])
    return answer


def _start(folder: Path, repeats: int) -> dict[str, Figure]:
    """Seconds of processes with almost nothing to do."""
    small, _ = write(folder / "small", 0)
    commands = {"parity --help": ["--help"], "parity compare": ["compare", *map(str, small)]}
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(repeats):
        for name, flags in commands.items():
            began = time.perf_counter()
            subprocess.run([*START, *flags], stdout=subprocess.DEVNULL, check=True)
            taken[name].append(time.perf_counter() - began)
    return {name: figure(values) for name, values in taken.items()}


def show(found: Mapping[str, Any]) -> None:
    """Print the figures, ratios first."""
    console = Console()
    table = Table("", "times assert_close", "GB/s", "seconds")
    for name, times in found["ratios"].items():
        speed, seconds = found["speeds"][name], found["seconds"][name]
        table.add_row(name, text(times, digits=1), text(speed), f"{seconds['median']:.2f}")
    whole = found["seconds"]["compare, whole process"]
    table.add_row("compare, whole process", "", "", f"{whole['median']:.2f}")
    console.print(table)
    table = Table("", "median (least to most)")
    for size, one in found["memory"].items():
        table.add_row(f"compare's memory, records of {size} GB", f"{text(one, 1e-6, 0)} MB")
    for name, one in found["start"].items():
        table.add_row(name, f"{text(one)} s")
    console.print(table)
    imported = ", ".join(found["frameworks"]) or "none"
    console.print(f"{found['size'] / 1e9:.2f} GB in all; frameworks imported: {imported}")


def main() -> None:
    """Measure, print, and write the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--size", type=float, default=SIZE, help="gigabytes of one record")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--quick", action="store_true", help="small records, three repeats")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    args = parser.parse_args()
    found = measure(args.size, args.repeats, quick=args.quick)
    show(found)
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
