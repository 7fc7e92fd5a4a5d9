"""``run``: record with every backend at the same time, each a process of its own, then compare."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from parity import progress
from parity.adapters import backend
from parity.cli import compare
from parity.cli.flags import resolve
from parity.cli.request import Request
from parity.data.datasets import Split
from parity.errors import ParityError
from parity.pairs import twins
from parity.specs.run import Spec
from parity.system import destinations, processes
from parity.system.processes import Child
from parity.verdict.compare import Comparison


def run(args: argparse.Namespace) -> int:
    """Start the backends, wait, compare; exit code as for ``compare``.

    If a layer diverges, the second backend's layers run again, with the first one's inputs.
    """
    json_file = destinations.json_path(args.json)
    out = destinations.new_path(args.out or time.strftime("runs/%Y%m%d-%H%M%S"))
    packages = backend.registered()
    if len(packages) != 2:
        raise ParityError(
            f"run compares two backends, but {len(packages)} are installed "
            f"({', '.join(packages) or 'none'}); record and compare them pair by pair"
        )
    if args.threads is None:  # both run at once: share the cores instead of fighting for them
        args.threads = max(1, (os.cpu_count() or 1) // len(packages))
    _record(out, [Request.record(name, args) for name in packages])

    def replay(comparison: Comparison) -> Path | None:
        """Record the replay of a comparison that first diverges in a layer."""
        if not comparison.in_a_layer:
            return None
        made = out / "replay" / comparison.reference.header.spec.family
        options = {name: getattr(args, name) for name in ("data_dir", "device", "threads")}
        options |= {"teacher": str(comparison.reference.path), "download": None}
        child = Request(comparison.other.header.backend, "replay", options).start(made)
        try:
            child.wait()
        finally:
            processes.terminate([child])
        return made

    def train_of(spec: Spec) -> Split:
        """The training examples that both backends had."""
        return resolve.splits(spec, resolve.dataset_of(args, spec, str(out)))[0]

    a, b = (out / name for name in packages)
    return compare.judge(
        a,
        b,
        json_file,
        overrides=args.allow,
        replay=replay,
        causes=lambda comparison: twins.causes_of(comparison, args.threads, train_of),
        at_once=True,
        command=args.words,
    )


def _record(out: Path, requests: Sequence[Request]) -> None:
    """Execute the requests at once, to ``out/<backend>``; all of them, or nothing is kept.

    Raises:
        ParityError: with the error message of the first process that failed.
    """
    children: dict[str, Child] = {}
    try:
        for request in requests:
            children[request.backend] = request.start(out / request.backend)
        _wait(children)
    except BaseException:
        processes.terminate(children.values())
        for name in children:
            shutil.rmtree(out / name, ignore_errors=True)
        with contextlib.suppress(OSError):
            out.rmdir()
        raise
    processes.terminate(children.values())


def _wait(children: Mapping[str, Child]) -> None:
    """Show progress on a terminal until all are done.

    Raises:
        ParityError: one failed.
    """
    with contextlib.ExitStack() as shown:
        display = shown.enter_context(progress.bar()) if sys.stderr.isatty() else None
        tasks = {name: display.add_task(name, total=None) for name in children} if display else {}
        running = True
        while running and not any(child.failed for child in children.values()):
            running = any(child.process.poll() is None for child in children.values())
            if display:
                for name, task in tasks.items():
                    state = children[name].state
                    description = f"{name:6} {state['what']:32}"
                    display.update(
                        task, description=description, completed=state["done"], total=state["total"]
                    )
            time.sleep(0.1)
    for name, child in children.items():
        if child.failed:
            raise ParityError(f"{name}: {child.failure_reason()}")
