"""The processes that run the matrix: some at a time, none trusted to live, all ended at the end."""

from __future__ import annotations

import collections
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.soak.rows import Row, slices
from parity.constants import DTYPES
from parity.progress import LINES, Progress
from parity.rungs import RUNGS

CHILD = (sys.executable, "-m", "benchmarks.soak.child")
ROOT = Path(__file__).parents[2]

PATIENCE = 900.0
"""Seconds without an answer after which a process counts as stuck and is ended."""

QUIET = {"OMP_WAIT_POLICY": "passive", "TF_CPP_MIN_LOG_LEVEL": "3"}
"""Environment of the processes. PyTorch's threads sleep while they have nothing to do: where they
are more than the free cores, as in the float32 ensemble, spinning ones take up to five times as
long. No number depends on it."""


@dataclass
class Soak:
    """Answers of the processes, by name of the row (see ``benchmarks.soak.child``)."""

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
        """By rung the largest figure of the answers, as in the child, and where it was."""
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
