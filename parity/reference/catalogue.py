"""All known differences between Keras and PyTorch, collected from the modules of their kinds.

``python -m parity.reference.catalogue`` prints the page ``docs/catalogue.md``.
"""

from __future__ import annotations

import dataclasses
import difflib
from types import ModuleType
from typing import Any

from parity.errors import ParityError
from parity.reference.difference import Difference
from parity.reference.mistakes import MISTAKES, Mistake, mistake
from parity.system import strict_json
from parity.system.submodules import submodules

MODULES: tuple[ModuleType, ...] = tuple(
    sorted(
        (one for one in submodules("parity.reference") if hasattr(one, "DIFFERENCES")),
        key=lambda module: ".layers." not in module.__name__,
    )
)
"""The modules that define ``DIFFERENCES``, in the order of the catalogue: layers first."""

LAYERS = tuple(one for one in MODULES if ".layers." in one.__name__)
"""Those that define kinds of layers."""

CATALOGUE: dict[str, Difference] = {
    entry.id: entry for module in MODULES for entry in module.DIFFERENCES
}
"""Id to entry."""

ALIASES = {alias: entry.id for entry in CATALOGUE.values() for alias in entry.aliases}
"""Alias to the id of its entry."""

HEAD = """\
# Known differences between Keras and PyTorch

Sorted by kind. `parity explain` prints this list, `parity explain batch_norm.epsilon` one entry.
Each entry has a demonstration in `parity_tests/catalogue/`, which runs two ports in both
frameworks: the port that most people write has the relative error given here; the corrected port
agrees with Keras up to float64 rounding. The relative error is the largest difference, divided by
the largest entry of Keras's tensor.

This page is generated from the entries: `python -m parity.reference.catalogue > docs/catalogue.md`.
"""


PORTS = "porting mistakes"

ABOUT_PORTS = """\
A check can also name these causes. They are differences between two models, not between the
frameworks. `*` stands for any kind of layer or optimizer, as in `conv.strides` or `dense.bias`."""


def by_kind() -> dict[str, list[Difference]]:
    """Each kind with its entries, in the order of the catalogue."""
    found: dict[str, list[Difference]] = {}
    for entry in CATALOGUE.values():
        found.setdefault(entry.kind, []).append(entry)
    return found


def difference(name: str) -> Difference | None:
    """The known difference with this id or alias; None if there is none."""
    return CATALOGUE.get(ALIASES.get(name, name))


def entry(name: str) -> Difference | Mistake:
    """The known difference or porting mistake with this id or alias.

    Raises:
        ParityError: there is none; the message names similar ids.
    """
    if found := difference(name) or mistake(name):
        return found
    every = [*CATALOGUE, *ALIASES, *(known for known in MISTAKES if "*" not in known)]
    close = [known for known in every if name in (known.split(".")[0], known.split(".")[-1])]
    close = close or difflib.get_close_matches(name, every, n=3, cutoff=0.5)
    accepted = ", ".join(close) if close else "an id that `parity explain` lists"
    raise ParityError(f"difference: received {name!r}, accepted: {accepted}")


def as_data(entry: Difference | Mistake) -> dict[str, Any]:
    """An entry's fields for JSON; an infinite size becomes the text ``inf``."""
    return strict_json.encode_non_finite(dataclasses.asdict(entry))  # type: ignore[no-any-return]


def page() -> str:
    """The whole catalogue as a Markdown page."""
    lines = [HEAD]
    for kind, entries in by_kind().items():
        lines += [f"## {kind.replace('_', ' ')}", ""]
        for one in entries:
            lines += _section(one)
    lines += [f"## {PORTS}", "", ABOUT_PORTS, ""]
    for porting_mistake in MISTAKES.values():
        lines += _section(porting_mistake)
    return "\n".join(lines)


def _section(one: Difference | Mistake) -> list[str]:
    lines = [f"### `{one.id}`", "", f"{one.title}.", ""]
    for heading, text in one.sections():
        escaped = text.replace("*", r"\*")  # Markdown would read it as emphasis
        lines.append(f"- **{heading}**: {escaped}")
    return [*lines, ""]


if __name__ == "__main__":
    print(page(), end="")
