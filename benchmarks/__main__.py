"""Measure everything and write ``RESULTS.md``, ``results.json`` and ``growth.png``.

python -m benchmarks
python -m benchmarks --quick --out /tmp/benchmarks
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Collection
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import commands, growth, pair, plots, records, results
from benchmarks.throughput import contestants
from benchmarks.throughput.turns import Turns
from benchmarks.throughput.workloads import WORKLOADS

NAMED = {f"{one.name}, batch {one.batch}": one for one in WORKLOADS}
QUICK_WORKLOADS = ("MLP 784-256-10, batch 64",)

PACKAGES = ("tensorflow", "tf-keras", "keras", "torch", "pytorch-lightning", "numpy")


def main() -> None:
    """Measure the requested parts; the others keep their last results."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a part of it, in two minutes")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=PARTS,
        help="parts; by default all, where it must be quick all but tries, growth and pairs",
    )
    parser.add_argument(
        "--workload", nargs="+", choices=NAMED, help="throughput: measure these anew, keep the rest"
    )
    parser.add_argument(
        "--repeats", type=int, help="rounds of each, at least 3 (default 5; quick 3)"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    args = parser.parse_args()
    args.repeats = args.repeats or (3 if args.quick else 5)
    if args.repeats < 3:
        parser.error(f"--repeats: received {args.repeats}, accepted: 3 or more")
    long = ("tries", "growth", "pair")
    parts = args.only or [name for name in PARTS if name not in long or not args.quick]
    args.out.mkdir(parents=True, exist_ok=True)
    file = args.out / "results.json"
    found = json.loads(file.read_text()) if file.exists() else {}
    for part in parts:
        began = time.perf_counter()
        print(f"{part} …", flush=True)
        if part == "throughput":
            again = _throughput(args.repeats, args.quick, args.workload)
            kept = found.get(part, {}) if args.workload else {}
            found[part] = {name: (kept | again)[name] for name in NAMED if name in kept | again}
        else:
            found[part] = PARTS[part](args.repeats, args.quick)
        found["about"] = _about(args.quick)
        text = json.dumps(found, indent=1) + "\n"
        file.write_text(text)
        print(f"{part}: {time.perf_counter() - began:.0f} s", flush=True)
    found = json.loads(file.read_text())  # keys are text there
    if "growth" in parts:
        plots.growth(found["growth"], args.out / "growth.png")
    (args.out / "RESULTS.md").write_text(results.page(found))
    print(f"{args.out / 'RESULTS.md'}, {file}")


def _throughput(repeats: int, quick: bool, only: Collection[str] | None = None) -> dict[str, Any]:
    """Seconds per step of each contestant, by workload."""
    names = contestants.QUICK if quick else [*contestants.CONTESTANTS]
    found = {}
    with Turns(names) as turns:
        for name in only or (QUICK_WORKLOADS if quick else NAMED):
            found[name] = turns.measure(NAMED[name], repeats)
            print(f"  {name}", flush=True)
    return found


def _tries(repeats: int, quick: bool) -> dict[str, Any]:
    """The same for the attempts at hand-written loops, with a batch size of 64."""
    found = {}
    for workload in WORKLOADS:
        if workload.batch == 64 and workload.name in contestants.TRIED:
            with Turns(contestants.TRIED[workload.name]) as turns:
                found[workload.name] = turns.measure(workload, repeats)
    return found


def _records(repeats: int, quick: bool) -> dict[str, Any]:
    return records.measure(1.0, repeats, quick=quick)


PARTS: dict[str, Callable[[int, bool], dict[str, Any]]] = {
    "throughput": _throughput,
    "first result": commands.first_result,
    "check": commands.check,
    "records": _records,
    "pair": pair.measure,
    "tries": _tries,
    "growth": growth.measured,
}


def _about(quick: bool) -> dict[str, Any]:
    return {
        "quick": quick,
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
    }


if __name__ == "__main__":
    main()
