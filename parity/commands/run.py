"""``run``: record with every backend at the same time, each a process of its own, then compare."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from typing import Any

from parity import backend, cli, progress
from parity.commands import compare, prepare
from parity.errors import ParityError


def run(args: argparse.Namespace) -> int:
    """Start the backends, wait, compare; exit code as for ``compare``."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    out = prepare.new_path(args.out or f"runs/{stamp}")
    packages = backend.registered()
    if len(packages) != 2:
        raise ParityError(
            f"run compares two backends, but {len(packages)} are installed "
            f"({', '.join(packages) or 'none'}); record and compare them pair by pair"
        )
    if not args.threads:  # both run at once: share the cores instead of fighting for them
        args.threads = max(1, (os.cpu_count() or 1) // len(packages))
    flags = record_flags(args)
    children = {
        name: _start(package, [*flags, "--out", str(out / name)])
        for name, package in packages.items()
    }
    try:
        _wait(children)
    finally:
        for child in children.values():
            child.process.terminate()
        for child in children.values():
            child.process.wait()
    a, b = (out / name for name in packages)
    return compare.judge(a, b, args.json)


def record_flags(args: argparse.Namespace) -> list[str]:
    """The flags that make ``record`` do what ``run`` was asked for."""
    parser = argparse.ArgumentParser()
    cli.add_record_flags(parser)
    flags: list[str] = []
    for action in parser._actions:
        value = getattr(args, action.dest, None)
        if (
            action.dest == "help"
            or value is None
            or (value is False
            and action.nargs == 0
            and len(action.option_strings) == 1)
        ):
            continue
        if isinstance(value, bool):
            flags.append(action.option_strings[0 if value else -1])
        elif isinstance(value, (list, tuple)):
            flags += [action.option_strings[0], *map(str, value)]
        elif value != 0 or action.dest != "threads":
            flags += [action.option_strings[0], str(value)]
    return flags


class _Child:
    """A recording process and what it says on stderr."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.state: dict[str, Any] = {"title": "", "done": 0, "total": None, "what": "starting"}
        self.said: list[str] = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if line.startswith(progress.MARK):
                self.state = json.loads(line[1:])
            else:
                self.said.append(line.rstrip())


def _start(package: str, flags: list[str]) -> _Child:
    return _Child(
        subprocess.Popen(
            [sys.executable, "-m", package, "record", *flags],
            env={**os.environ, progress.LINES: "lines"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
    )


def _wait(children: dict[str, _Child]) -> None:
    """Show progress until all are done; the first that fails ends the others.

    Raises:
        ParityError: with the last line that the failed process said.
    """
    display = progress.bar() if sys.stderr.isatty() else None
    tasks = {name: display.add_task(name, total=None) for name in children} if display else {}
    if display:
        display.start()
    try:
        while any(child.process.poll() is None for child in children.values()):
            for name, child in children.items():
                if display:
                    state = child.state
                    display.update(
                        tasks[name],
                        description=f"{name:6} {state['what']:32}",
                        completed=state["done"],
                        total=state["total"],
                    )
            if any(child.process.poll() not in (None, 0) for child in children.values()):
                break
            time.sleep(0.1)
    finally:
        if display:
            display.stop()
    for name, child in children.items():
        if child.process.poll() not in (None, 0):
            child.reader.join()
            last = child.said[-1] if child.said else f"exit code {child.process.returncode}"
            raise ParityError(f"{name}: {last.split(': error: ', 1)[-1]}")
