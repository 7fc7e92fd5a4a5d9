"""Differences of correct pairs: the measurement behind ``parity/numerics/tolerance.py``.

Climbs the ladder with both frameworks for every variant of every model, on some seeds, and prints
by rung the largest float64 distance, and the largest float32 distance in units of what rounding
explains (which ``ENSEMBLE_MULTIPLE`` must exceed). Distances under the float32 floor are left out.
With ``--ensemble`` the latter for ensembles of several sizes, thread counts left out.

    python -m benchmarks.tolerances --flavour tf_keras --seeds 1 2
    python -m benchmarks.tolerances --whole cnn --seeds 1 2 3 4 5 6 --ensemble 1 2 3 6 12
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

from parity.adapters.backend import Backend, Settings, load
from parity.constants import DTYPES, FLAVOURS
from parity.ladder import record
from parity.numerics import tolerance
from parity.progress import Progress
from parity.rungs import RUNGS
from parity.specs.registry import MODELS
from parity.specs.run import Spec
from parity.verdict import compare
from parity.verdict.compare import Comparison
from parity_tests.support import cases


def compared(backends: list[Backend], spec: Spec, whole: bool) -> Comparison:
    """Run the ladder with both backends and compare the records."""
    splits = cases.whole_splits(spec) if whole else None
    with tempfile.TemporaryDirectory() as folder:
        paths = [
            cases.record_of(backend, spec, Path(folder) / backend.name, DTYPES, splits=splits)
            for backend in backends
        ]
        with record.read(paths[0]) as a, record.read(paths[1]) as b:
            return compare.compare(a, b)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--flavour", choices=FLAVOURS, default=FLAVOURS[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--every", type=int, default=1, help="take one variant of so many")
    parser.add_argument("--whole", choices=MODELS, help="this model as it is by default instead")
    parser.add_argument("--ensemble", type=int, nargs="+", help="sizes of the ensemble")
    args = parser.parse_args()
    os.environ["PARITY_FLAVOUR"] = args.flavour
    settings = Settings(args.flavour, threads=1)
    backends = [load(name, settings) for name in ("keras", "torch")]
    specs = {}
    for seed in args.seeds:
        given: dict[str, Any] = {"flavour": args.flavour, "seed": seed}
        if args.whole:
            for optimizer in ("adam", "momentum"):
                specs[f"{args.whole}-{optimizer}-{seed}"] = cases.whole(
                    args.whole, optimizer, **given
                )
            continue
        for row in cases.one_optimizer_each()[:: args.every]:
            specs["-".join([*row, str(seed)])] = cases.spec_of(*row, **given)
    if not args.ensemble:
        measured(backends, specs, bool(args.whole))
        return
    for backend in backends:
        backend.thread_counts = lambda: ()  # type: ignore[method-assign]
    for size in args.ensemble:
        tolerance.ENSEMBLE = size
        print(f"\nensemble of {size}")
        measured(backends, specs, bool(args.whole))


def measured(backends: list[Backend], specs: dict[str, Spec], whole: bool) -> None:
    """Compare every pair, and print the largest differences by rung."""
    exact: dict[str, tuple[float, str]] = dict.fromkeys(RUNGS, (0.0, ""))
    ratios: dict[str, tuple[float, str]] = dict.fromkeys(RUNGS, (0.0, ""))
    different: list[str] = []
    with Progress("pairs", len(specs)) as progress:
        for name, spec in specs.items():
            comparison = compared(backends, spec, whole)
            if not comparison.same:
                different.append(name)
            for check in comparison.checks:
                where = f"{name} {check.tensor}"
                if check.dtype == "float64":
                    exact[check.rung] = max(exact[check.rung], (check.observed, where))
                elif check.allowed > tolerance.ROUNDING_RMS:
                    ratio = tolerance.ENSEMBLE_MULTIPLE * check.observed / check.allowed
                    ratios[check.rung] = max(ratios[check.rung], (ratio, where))
            progress.advance(name)

    for rung, title in RUNGS.items():
        (distance, where), (ratio, there) = exact[rung], ratios[rung]
        print(f"{title:16} float64 {distance:.1e}  {where}")
        if there:
            print(f"{'':16} float32 {ratio:.2f} of what rounding explains  {there}")
    print(f"{len(specs)} faithful pairs, {len(different)} called different", *different, flush=True)


if __name__ == "__main__":
    main()
