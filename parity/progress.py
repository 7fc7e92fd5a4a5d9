"""Progress of long work: a bar on a terminal, JSON lines for a parent process, else nothing."""

from __future__ import annotations

import json
import os
import sys
from types import TracebackType
from typing import Any

LINES = "PARITY_PROGRESS"
"""Environment variable; if it is ``lines``, progress is written to stderr as JSON lines."""

MARK = "\x1e"
"""First character of each progress line."""


class Progress:
    """Context manager that shows progress: a bar with a ``total``, a spinner without.

    Both appear on a terminal only.
    """

    def __init__(self, title: str, total: int | None = None) -> None:
        self.title, self.total, self.done = title, total, 0
        self.lines = os.environ.get(LINES) == "lines" and total is not None
        self._bar: Any = None

    def __enter__(self) -> Progress:
        if not self.lines and sys.stderr.isatty():
            self._bar = bar() if self.total is not None else _spinner()
            self._bar.start()
            self._task = self._bar.add_task(self.title, total=self.total)
        self._show("")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
            if self.total is None:
                self._bar.console.file.close()

    def advance(self, what: str = "", by: int = 1) -> None:
        """Count ``by`` more units as done; ``what`` describes them."""
        self.done += by
        self._show(what)

    def _show(self, what: str) -> None:
        if self.lines:
            state = {"title": self.title, "done": self.done, "total": self.total, "what": what}
            print(MARK + json.dumps(state), file=sys.stderr, flush=True)
        elif self._bar is not None:
            description = f"{self.title} {what}".strip()
            self._bar.update(self._task, completed=self.done, description=description)


def bar() -> Any:
    """Return a rich progress display on stderr that disappears when it is done.

    While it is shown, output to a terminal is redirected to appear above the bar; output to a file
    or a pipe is not.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Display

    return Display(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=sys.stdout.isatty(),
    )


def _spinner() -> Any:
    """Return a rich display for work of unknown length; the caller closes its console's file.

    A framework may start while it is shown and redirect stdout or stderr. The display therefore
    writes to a file descriptor of its own, and redirects neither.
    """
    from rich.console import Console
    from rich.progress import Progress as Display
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    return Display(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=Console(file=os.fdopen(os.dup(sys.stderr.fileno()), "w")),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
