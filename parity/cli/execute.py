"""Execution of a command, with exit codes and one-line errors."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from parity import progress
from parity.errors import ParityError


def execute(prog: str, args: argparse.Namespace) -> NoReturn:
    """Run ``parity.cli.<args.command>`` and exit; an error is one line on stderr.

    Exit codes: 0 (of a comparison: SAME), 1 DIFFERENT, 2 wrong use or unusable input,
    3 INCONCLUSIVE, 130 Ctrl-C, 143 SIGTERM.
    """
    line = ""
    try:
        with _termination_raises():
            if progress.LINES in os.environ:
                importlib.import_module("parity.system.processes").end_with_parent()
            command = importlib.import_module(f"parity.cli.{args.command}")
            code = command.run(args)
            sys.stdout.flush()
    except ParityError as error:
        code, line = 2, f"error: {error}"
    except KeyboardInterrupt:
        code, line = 128 + signal.SIGINT, "interrupted"
    except _Terminated:
        code, line = 128 + signal.SIGTERM, "terminated"
    except BrokenPipeError:  # the reader (head, less) has closed the pipe
        code = 0
        _discard_output()
    except OSError as error:
        code, line = 2, f"error: {error.filename or 'output'}: {error.strerror or error}"
        _discard_output()
    except MemoryError as error:
        code, line = 2, f"error: not enough memory: {error}"
    if line:
        print(f"{prog} {args.command}: {' '.join(line.splitlines())}", file=sys.stderr)
    sys.exit(code)


class _Terminated(BaseException):
    """SIGTERM as an exception, so that incomplete files are removed and child processes end."""


@contextlib.contextmanager
def _termination_raises() -> Iterator[None]:
    def terminate(number: int, frame: object) -> NoReturn:
        raise _Terminated

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _discard_output() -> None:
    """Redirect stdout to the null device, as flushing it at exit would raise again."""
    with contextlib.suppress(OSError), Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
