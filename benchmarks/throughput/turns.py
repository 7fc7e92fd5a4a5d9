"""Contestants in separate processes that take turns, so that all have equal conditions."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import time
from collections.abc import Iterable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, figure
from benchmarks.throughput.contestants import CONTESTANTS, TRIES
from benchmarks.throughput.workloads import Round, Workload

PAUSE = 0.2
"""Seconds between two turns: idle OpenMP threads spin for a while."""

TURN = 0.5
"""Minimum seconds of a turn, without its first pass, which has cold caches."""


class Turns:
    """Contestants, each in its own process, for one workload after another."""

    def __init__(self, names: Iterable[str]) -> None:
        """Start the processes, which do not import anything yet."""
        context = multiprocessing.get_context("spawn")
        self.pipes: dict[str, Connection] = {}
        self.processes = []
        for name in names:
            self.pipes[name], theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, name), daemon=True)
            process.start()
            theirs.close()
            self.processes.append(process)

    def __enter__(self) -> Turns:
        return self

    def __exit__(self, *_: object) -> None:
        for pipe, process in zip(self.pipes.values(), self.processes, strict=True):
            pipe.close()
            process.join()

    def measure(self, workload: Workload, repeats: int) -> dict[str, Figure]:
        """Seconds per step of each contestant after warming up, in ``repeats`` rounds.

        Raises:
            RuntimeError: a contestant failed.
        """
        for name in self.pipes:
            self._ask(name, workload)
        taken: dict[str, list[float]] = {name: [] for name in self.pipes}
        for _ in range(repeats):
            for name in self.pipes:
                time.sleep(PAUSE)
                taken[name].append(self._ask(name, None) / workload.steps)
        return {name: figure(seconds) for name, seconds in taken.items()}

    def _ask(self, name: str, workload: Workload | None) -> float:
        self.pipes[name].send(workload)
        try:
            said: Any = self.pipes[name].recv()
        except EOFError:
            said = "its process has ended"
        if isinstance(said, str):
            raise RuntimeError(f"{name}: {said}")
        return float(said)


def _serve(pipe: Connection, name: str) -> None:
    """Warm up for each new workload; run a round for each other message."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with Path(os.devnull).open("w") as nowhere:  # frameworks talk
        os.dup2(nowhere.fileno(), 2)
    run: Any = None
    with contextlib.suppress(EOFError):
        while True:
            workload = pipe.recv()
            try:
                if workload is None:
                    pipe.send(_turn(run))
                else:
                    run = (CONTESTANTS | TRIES)[name].prepare(workload)
                    run()
                    run()
                    pipe.send(0.0)
            except Exception as error:
                pipe.send(f"{type(error).__name__}: {error}"[:500])


def _turn(run: Round) -> float:
    """Seconds per pass over a workload's examples."""
    run()
    passes, began = 0, time.perf_counter()
    while (taken := time.perf_counter() - began) < TURN:
        run()
        passes += 1
    return taken / passes
