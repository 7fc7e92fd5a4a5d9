"""How far faithful pairs stand apart: the measurement behind ``parity/tolerance.py``.

Climbs the ladder with both frameworks for every variant of every model, on some seeds, and prints
by rung the largest float64 distance, and the largest float32 distance in units of what rounding
explains (which ``ENSEMBLE_MULTIPLE`` must exceed). Distances under the float32 floor are left out.

    python -m benchmarks.tolerances --flavour tf_keras --seeds 1 2
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from parity import ladder, record, tolerance
from parity.backend import Backend, Settings, load
from parity.constants import DTYPES, FLAVOURS
from parity.ladder import Comparison
from parity.progress import Progress
from parity.rungs import RUNGS
from parity.specs.run import Spec
from parity_tests import cases


def compared(backends: list[Backend], spec: Spec) -> Comparison:
    """Climb with both backends and compare what they leave."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [
            cases.record_of(backend, spec, Path(folder) / backend.name, DTYPES)
            for backend in backends
        ]
        with record.read(paths[0]) as a, record.read(paths[1]) as b:
            return ladder.compare(a, b)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--flavour", choices=FLAVOURS, default=FLAVOURS[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    args = parser.parse_args()
    os.environ["PARITY_FLAVOUR"] = args.flavour
    settings = Settings(args.flavour, threads=1)
    backends = [load(name, settings) for name in ("keras", "torch")]

    exact: dict[str, tuple[float, str]] = dict.fromkeys(RUNGS, (0.0, ""))
    ratios: dict[str, tuple[float, str]] = dict.fromkeys(RUNGS, (0.0, ""))
    different: list[str] = []
    rows = [(*row, seed) for row in cases.one_optimizer_each() for seed in args.seeds]
    with Progress("pairs", len(rows)) as progress:
        for *row, seed in rows:
            name = "-".join([*row, str(seed)])
            comparison = compared(backends, cases.spec_of(*row, flavour=args.flavour, seed=seed))
            if not comparison.same:
                different.append(name)
            for check in comparison.checks:
                where = f"{name} {check.tensor}"
                if check.dtype == "float64":
                    exact[check.rung] = max(exact[check.rung], (check.observed, where))
                elif check.allowed > tolerance.FLOAT32_FLOOR:
                    ratio = tolerance.ENSEMBLE_MULTIPLE * check.observed / check.allowed
                    ratios[check.rung] = max(ratios[check.rung], (ratio, where))
            progress.advance(name)

    for rung, title in RUNGS.items():
        (distance, where), (ratio, there) = exact[rung], ratios[rung]
        print(f"{title:16} float64 {distance:.1e}  {where}")
        if there:
            print(f"{'':16} float32 {ratio:.2f} of what rounding explains  {there}")
    print(f"{len(rows)} faithful pairs, {len(different)} called different", *different)


if __name__ == "__main__":
    main()
