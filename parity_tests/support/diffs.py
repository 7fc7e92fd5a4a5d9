"""Read unified diffs, such as the examples in ``docs/examples/``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*.diff"))


@dataclass(frozen=True)
class Hunk:
    """One change of a file.

    Attributes:
        path: the file, relative to the root of the project.
        before: the lines that it replaces; empty for a new file.
        after: the lines that replace them.
    """

    path: str
    before: str
    after: str

    def apply(self, folder: Path) -> None:
        """Make the change in a copy of the project; the replaced lines must occur exactly once."""
        file = folder / self.path
        if not self.before:
            file.write_text(self.after)
            return
        text = file.read_text()
        assert text.count(self.before) == 1, f"{self.path}: no unique place for\n{self.before}"
        file.write_text(text.replace(self.before, self.after))


def hunks(diff: str) -> list[Hunk]:
    """The changes of a unified diff, in its order."""
    found, path = [], ""
    for part in re.split(r"^(?=@@|--- )", diff, flags=re.MULTILINE):
        head, *lines = part.splitlines() or [""]
        if head.startswith("--- "):
            path = lines[0].removeprefix("+++ b/")
        if not head.startswith("@@"):
            continue
        before, after = (
            "".join(f"{line[1:]}\n" for line in lines if line[:1] in (sign, " ")) for sign in "-+"
        )
        found.append(Hunk(path, before, after))
    return found
