"""No false alarm: a matrix of clean pairs, none of which may be called DIFFERENT.

Runs every row of ``benchmarks.soak_rows`` in both dtypes, each thread count and each Keras in
processes of its own, and prints how many pairs were called what and how near they came to it.
The exit code is 1 if a pair was called DIFFERENT or did not run.

    python -m benchmarks.soak --jobs 2 --out soak.json
    python -m benchmarks.soak --only cnn-oblong-adam-keras3
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.soak_rows import Row, product, rows, slices, tenth
from parity import strict_json
from parity.constants import DTYPES
from parity.progress import LINES, Progress
from parity.rungs import RUNGS

CHILD = (sys.executable, "-m", "benchmarks.soak_child")
ROOT = Path(__file__).parents[1]

PATIENCE = 900.0
"""Seconds without an answer after which a process counts as stuck and is ended."""

QUIET = {"OMP_WAIT_POLICY": "passive", "TF_CPP_MIN_LOG_LEVEL": "3"}
"""Environment of the processes. PyTorch's threads sleep while they have nothing to do: where they
are more than the free cores, as in the float32 ensemble, spinning ones take up to five times as
long. No number depends on it."""

WIDTH = 80
NAMED = 20
"""Pairs at most that the terminal names; the JSON file names all."""


@dataclass
class Soak:
    """Answers of the processes, by name of the row (see ``benchmarks.soak_child``)."""

    asked: list[Row]
    patience: float = PATIENCE
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    deaths: dict[str, str] = field(default_factory=dict)
    live: set[subprocess.Popen[str]] = field(default_factory=set)
    stopped: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, pieces: list[list[Row]], jobs: int, child: Sequence[str]) -> None:
        """Give every piece to a process, ``jobs`` at a time; an interrupt ends them all."""
        with Progress("pairs", len(self.asked)) as progress, ThreadPoolExecutor(jobs) as pool:
            try:
                futures = [pool.submit(self._piece, piece, child, progress) for piece in pieces]
                for future in futures:
                    future.result()
            except BaseException:
                self.end()
                raise

    def end(self) -> None:
        """Kill what runs and start nothing more."""
        with self.lock:
            self.stopped = True
            for process in self.live:
                process.kill()

    def _piece(self, piece: list[Row], child: Sequence[str], progress: Progress) -> None:
        with tempfile.TemporaryFile("w+") as errors:
            environment = {name: value for name, value in os.environ.items() if name != LINES}
            with self.lock:
                if self.stopped:
                    return
                process = subprocess.Popen(
                    child,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    text=True,
                    cwd=ROOT,
                    env=QUIET | environment,
                )
                self.live.add(process)
            late, wrong = False, ""
            try:
                late = self._listen(process, piece, progress)
            except ValueError as error:
                wrong = f"its process answered nonsense: {error}"
            finally:
                process.kill()  # at its end already, but for a fault in here
                status = process.wait()
                with self.lock:
                    self.live.discard(process)
            errors.seek(0)
            said = (errors.read().strip().splitlines() or ["no message"])[-1]
            reason = wrong or f"its process ended with {status}: {said}"
            if late:
                reason = f"its process did not answer for {self.patience:.0f} s"
            if not self.stopped:
                lost = [row.name for row in piece if row.name not in self.answers]
                self.deaths |= dict.fromkeys(lost, reason)

    def _listen(self, process: subprocess.Popen[str], piece: list[Row], progress: Progress) -> bool:
        """Take the answers until the process ends; whether it had to be ended for its silence."""
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with process.stdin as rows_in:
                rows_in.writelines(json.dumps(dataclasses.asdict(row)) + "\n" for row in piece)
        except BrokenPipeError:
            pass  # it died at once; its exit code tells
        own = {row.name for row in piece}
        late = threading.Event()

        def give_up() -> None:
            late.set()
            process.kill()

        with process.stdout as answers:
            while True:
                stuck = threading.Timer(self.patience, give_up)
                stuck.start()
                line = answers.readline()
                stuck.cancel()
                if not line.endswith("\n"):  # the end; half a line where it was killed writing it
                    process.wait()
                    return late.is_set()
                with self.lock:
                    name = self._answer(line, own)
                    progress.advance(name)

    def _answer(self, line: str, own: set[str]) -> str:
        answer = json.loads(line)
        name = answer.pop("name")
        if name not in own:
            raise ValueError(f"received {name!r}, which it was not asked")
        self.answers[name] = answer
        return name

    @property
    def judged(self) -> list[tuple[Row, dict[str, Any]]]:
        """Rows that have a verdict."""
        found = ((row, self.answers.get(row.name, {})) for row in self.asked)
        return [(row, answer) for row, answer in found if "failed" in answer]

    @property
    def alarms(self) -> list[tuple[str, str, list[str]]]:
        """Pairs called DIFFERENT: name, dtype and what failed there, the first divergence first."""
        found = []
        for row, answer in self.judged:
            for dtype in DTYPES:
                texts = [text for judged, text in answer["failed"] if judged == dtype]
                if texts:
                    found.append((row.name, dtype, texts))
        return found

    @property
    def not_run(self) -> list[tuple[str, str]]:
        """Pairs without a verdict: name and why."""
        judged = {row.name for row, _ in self.judged}
        reasons = self.deaths | {n: a["error"] for n, a in self.answers.items() if "error" in a}
        return [
            (row.name, reasons.get(row.name, "interrupted"))
            for row in self.asked
            if row.name not in judged
        ]

    @property
    def passed(self) -> bool:
        """Whether every pair ran and none was called DIFFERENT; no pair at all is no pass."""
        return bool(self.asked) and not self.alarms and not self.not_run

    def largest(self, dtype: str) -> dict[str, tuple[float, str]]:
        """By rung the largest figure of the answers (see ``soak_child``) and where it was."""
        found = dict.fromkeys(RUNGS, (0.0, ""))
        for row, answer in self.judged:
            for rung, (value, tensor) in answer[dtype].items():
                if value > found[rung][0]:
                    found[rung] = (value, f"{row.name} {tensor}")
        return found

    def counts(self) -> list[dict[str, Any]]:
        """Pairs by Keras, thread count and dtype, and how many of them were called DIFFERENT."""
        pairs: collections.Counter[tuple[str, int]] = collections.Counter()
        different: collections.Counter[tuple[str, int, str]] = collections.Counter()
        for row, answer in self.judged:
            pairs[row.flavour, row.threads] += 1
            for dtype in {judged for judged, _ in answer["failed"]}:
                different[row.flavour, row.threads, dtype] += 1
        return [
            {
                "flavour": flavour,
                "threads": threads,
                "pairs": count,
                "different": {dtype: different[flavour, threads, dtype] for dtype in DTYPES},
            }
            for (flavour, threads), count in sorted(pairs.items())
        ]


def run(
    asked: list[Row],
    jobs: int = 1,
    *,
    child: Sequence[str] = CHILD,
    patience: float = PATIENCE,
) -> Soak:
    """Run the rows; ``child`` is the command of a process that answers them."""
    soak = Soak(asked, patience)
    soak.run(slices(asked), jobs, child)
    return soak


def as_data(soak: Soak, wall: float, faults: dict[str, Any]) -> dict[str, Any]:
    """All figures, for JSON."""
    seconds = [answer["seconds"] for _, answer in soak.judged]
    return {
        "pairs": len(soak.asked),
        "judged": len(soak.judged),
        "counts": soak.counts(),
        "different": [
            {"pair": name, "dtype": dtype, "failed": texts} for name, dtype, texts in soak.alarms
        ],
        "not_run": [{"pair": name, "reason": reason} for name, reason in soak.not_run],
        "largest_float64_distance": soak.largest("float64"),
        "largest_float32_share_of_allowed": soak.largest("float32"),
        "seconds_per_pair": sum(seconds) / len(seconds) if seconds else None,
        "planted_faults": faults,
        "wall_seconds": wall,
    }


def show(soak: Soak, wall: float, faults: dict[str, Any]) -> None:
    """Print the figures; those of planted faults too, where there are any."""
    print(f"{'':12}{'threads':>8}{'pairs':>8}   DIFFERENT:" + "".join(f"{d:>10}" for d in DTYPES))
    for entry in soak.counts():
        line = f"{entry['flavour']:12}{entry['threads']:8}{entry['pairs']:8}{'':13}"
        print(line + "".join(f"{entry['different'][dtype]:10}" for dtype in DTYPES))
    exact, ratios = soak.largest("float64"), soak.largest("float32")
    print("\nLargest float64 distance, and float32's largest share of what is allowed")
    for rung, title in RUNGS.items():
        print(f"  {title:18}{exact[rung][0]:10.1e}{ratios[rung][0]:10.2f}")
        for dtype, found in (("float64", exact[rung]), ("float32", ratios[rung])):
            if found[0]:
                _say(f"{dtype}: {found[1]}", "      ")
    if soak.alarms:
        print("\nCalled DIFFERENT, with the first divergence")
        for name, _, texts in soak.alarms[:NAMED]:
            _say(f"{name}: {texts[0]} ({len(texts)} failed)")
        _more(len(soak.alarms))
    if soak.not_run:
        print("\nNot run")
        for name, reason in soak.not_run[:NAMED]:
            _say(f"{name}: {reason}")
        _more(len(soak.not_run))
    if faults:
        print(
            f"\nplanted faults: {faults['planted']} planted ({faults['faults']} different ones), "
            f"{faults['detected']} detected,\n  {faults['right rung']} at the right rung, "
            f"{faults['right layer']} in the right layer"
        )
    print(
        f"{'' if faults else chr(10)}clean pairs: {len(soak.judged)} of {len(soak.asked)} judged "
        f"in both dtypes, {len(soak.alarms)} false alarms"
    )
    print(f"wall time: {(wall + faults.get('seconds', 0)) / 60:.0f} min")


def planted(files: Sequence[Path]) -> dict[str, Any]:
    """What ``pytest --faults-out`` wrote, added up; different faults are the same in every file."""
    found: collections.Counter[str] = collections.Counter()
    for file in files:
        figures = json.loads(file.read_text("utf-8"))
        found.update(figures)
        found["faults"] = figures["faults"]
    return dict(found)


def _say(text: str, indent: str = "  ") -> None:
    inner = indent + "  "
    wrapped = textwrap.fill(
        text, WIDTH, initial_indent=indent, subsequent_indent=inner, break_on_hyphens=False
    )
    print(wrapped)


def _more(count: int) -> None:
    if count > NAMED:
        print(f"  and {count - NAMED} more; --out names all")


def main(argv: Sequence[str] | None = None, child: Sequence[str] = CHILD) -> int:
    """Run the matrix, print and write the figures; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--product", action="store_true", help="everything with everything")
    which.add_argument("--tenth", action="store_true", help="a tenth of the rows")
    parser.add_argument("--only", default="", help="only rows whose name holds this text")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at a time")
    parser.add_argument(
        "--faults", type=Path, nargs="*", default=[], help="add what pytest --faults-out wrote"
    )
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    args = parser.parse_args(argv)
    if args.jobs < 1:
        parser.error(f"--jobs: received {args.jobs}, accepted: 1 or more")
    if args.out and not args.out.absolute().parent.is_dir():
        parser.error(f"--out: there is no folder {args.out.absolute().parent}")
    whole = product() if args.product else tenth() if args.tenth else rows()
    asked = [row for row in whole if args.only in row.name]
    if not asked:
        parser.error(f"--only: received {args.only!r}, which no row's name holds")

    began = time.monotonic()
    soak, interrupted = Soak(asked), False
    try:
        soak.run(slices(asked), args.jobs, child)
    except KeyboardInterrupt:
        soak.end()  # once more: a second interrupt may have come amid the first one's work
        interrupted = True
    wall = time.monotonic() - began
    faults = planted(args.faults)
    show(soak, wall, faults)
    if args.out:
        args.out.write_text(
            strict_json.dumps(strict_json.as_text(as_data(soak, wall, faults))), "utf-8"
        )
    return 130 if interrupted else int(not soak.passed)


if __name__ == "__main__":
    sys.exit(main())
