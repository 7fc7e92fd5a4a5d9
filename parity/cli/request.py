"""Request: what another process shall record or replay, written as JSON.

``python -m parity.cli.request OUT FILE`` runs the request in the file, and writes to ``OUT``.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parity.cli.execute import execute
from parity.system import strict_json
from parity.system.processes import Child

_OF_THIS_PROCESS = ("backend", "command", "out", "words", "json", "allow")


@dataclass(frozen=True)
class Request:
    """A command for a process of its own.

    Attributes:
        backend: name of the registered implementation.
        command: ``record`` or ``replay``.
        options: the command's parsed flags by name, except ``out``.
    """

    backend: str
    command: str
    options: Mapping[str, Any]

    @classmethod
    def record(cls, backend: str, args: argparse.Namespace, **changed: Any) -> Request:
        """Create the request to record with the flags of this process, some of them changed."""
        flags = {name: value for name, value in vars(args).items() if name not in _OF_THIS_PROCESS}
        return cls(backend, "record", flags | changed)

    def to_json(self) -> str:
        """Return the request as JSON."""
        return strict_json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Request:
        """Return the request of :meth:`to_json`."""
        return cls(**strict_json.loads(text))

    def arguments(self, out: str) -> argparse.Namespace:
        """Return what the command's parser would return for these options and ``--out``."""
        own = {"backend": self.backend, "command": self.command, "out": out}
        return argparse.Namespace(**self.options, **own)

    def start(self, out: Path) -> Child:
        """Start a process that executes the request, and writes to ``out``."""
        return Child(["parity.cli.request", str(out)], self.to_json())


if __name__ == "__main__":
    folder, file = sys.argv[1:]
    request = Request.from_json(Path(file).read_text())
    execute(request.backend, request.arguments(folder))
