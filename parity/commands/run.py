"""``run``: record with every backend at the same time, each a process of its own, then compare."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from parity import backend, cli, outputs, progress
from parity.commands import compare
from parity.errors import ParityError

GRACE = 10.0
"""Seconds that a recording process gets to end when told to, before it is killed."""


def run(args: argparse.Namespace) -> int:
    """Start the backends, wait, compare; exit code as for ``compare``."""
    json_file = outputs.json_path(args.json)
    out = outputs.new_path(args.out or time.strftime("runs/%Y%m%d-%H%M%S"))
    packages = backend.registered()
    if len(packages) != 2:
        raise ParityError(
            f"run compares two backends, but {len(packages)} are installed "
            f"({', '.join(packages) or 'none'}); record and compare them pair by pair"
        )
    if args.threads is None:  # both run at once: share the cores instead of fighting for them
        args.threads = max(1, (os.cpu_count() or 1) // len(packages))
    flags = record_flags(args)
    _record(out, {name: [package, "record", *flags] for name, package in packages.items()})
    a, b = (out / name for name in packages)
    return compare.judge(a, b, json_file, at_once=True)


def record_flags(args: argparse.Namespace) -> list[str]:
    """The flags that make ``record`` do what ``run`` was asked for, without ``--out``.

    Every flag's name follows from its place in the namespace (see :func:`parity.cli.flag_of`); one
    that was not given is absent there, or None.
    """
    flags: list[str] = []
    for name, value in vars(args).items():
        if name in ("command", "out", "json") or value is None:
            continue
        flag = cli.flag_of(name)
        if isinstance(value, bool):
            flags.append(flag if value else flag.replace("--", "--no-", 1))
        elif isinstance(value, list):
            flags += [flag, *map(str, value)]
        else:
            flags.append(f"{flag}={value}")
    return flags


def _record(out: Path, commands: Mapping[str, list[str]]) -> None:
    """Run each backend's command at once, to ``out/<backend>``; all of them, or nothing is kept.

    Raises:
        ParityError: with what the first process that failed said.
    """
    children: dict[str, _Child] = {}
    try:
        for name, command in commands.items():
            children[name] = _Child([*command, f"--out={out / name}"])
        _wait(children)
    except BaseException:
        _end(children.values())
        for name in children:
            shutil.rmtree(out / name, ignore_errors=True)
        with contextlib.suppress(OSError):
            out.rmdir()
        raise
    _end(children.values())


class _Child:
    """A recording process and what it says on stderr."""

    def __init__(self, command: list[str]) -> None:
        """Start ``python -m`` with the command."""
        self.state: dict[str, Any] = {"done": 0, "total": None, "what": "starting"}
        self.said: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", *command],
            env={**os.environ, progress.LINES: "lines"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                if line.startswith(progress.MARK):
                    with contextlib.suppress(ValueError):  # a line that another one broke into
                        self.state = json.loads(line.removeprefix(progress.MARK))
                elif line.strip():
                    self.said.append(line.strip())

    @property
    def failed(self) -> bool:
        """Whether it ended, and not well."""
        return self.process.poll() not in (None, 0)

    def reason(self) -> str:
        """Why it failed: its error line, else the signal that ended it, else its last words."""
        self.reader.join()
        for line in reversed(self.said):
            if (mark := ": error: ") in line:
                return line.split(mark, 1)[1]
        code = self.process.returncode
        if code < 0:
            return f"ended by {signal.Signals(-code).name}"
        return self.said[-1] if self.said else f"exit code {code}"


def _end(children: Collection[_Child]) -> None:
    """Leave no process behind: tell them all to end, then kill what has not."""
    for child in children:
        child.process.terminate()
    until = time.monotonic() + GRACE
    for child in children:
        try:
            child.process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.process.kill()
            child.process.wait()
        child.reader.join()


def _wait(children: Mapping[str, _Child]) -> None:
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
            raise ParityError(f"{name}: {child.reason()}")
