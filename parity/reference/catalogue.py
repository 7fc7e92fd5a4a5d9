"""Every known difference between Keras and PyTorch, gathered from where its kind is told.

``python -m parity.reference.catalogue`` prints the page ``docs/catalogue.md``.
"""

from __future__ import annotations

import dataclasses
import difflib
from types import ModuleType
from typing import Any

from parity.errors import ParityError
from parity.reference import dtypes, numbers
from parity.reference.difference import Difference
from parity.reference.layers import (
    activations,
    attention,
    batch_norm,
    dense,
    dropout,
    embedding,
    layer_norm,
    masking,
    merging,
    reshaping,
)
from parity.reference.layers.recurrent import bidirectional, gru, lstm, simple_rnn
from parity.reference.layers.windowed import conv, conv_transpose, padding, pooling
from parity.reference.losses import differences as loss_differences
from parity.reference.metrics import differences as metric_differences
from parity.reference.mistakes import MISTAKES, Mistake, mistake
from parity.reference.optimizers import differences as optimizer_differences
from parity.reference.schedules import differences as schedule_differences
from parity.system import strict_json

LAYERS: tuple[ModuleType, ...] = (
    dense,
    activations,
    conv,
    conv_transpose,
    pooling,
    padding,
    reshaping,
    merging,
    batch_norm,
    layer_norm,
    dropout,
    embedding,
    simple_rnn,
    lstm,
    gru,
    bidirectional,
    masking,
    attention,
)
"""A module per kind of layer, in the order of the catalogue."""

ROOMS: tuple[ModuleType, ...] = (
    *LAYERS,
    loss_differences,
    metric_differences,
    optimizer_differences,
    schedule_differences,
    numbers,
    dtypes,
)
"""The modules that hold ``DIFFERENCES``, in the order of the catalogue."""

CATALOGUE: dict[str, Difference] = {entry.id: entry for room in ROOMS for entry in room.DIFFERENCES}
"""Id to entry."""

HEAD = """\
# Where Keras and PyTorch part

Known differences, by kind. `parity explain` prints this list, `parity explain batch_norm.epsilon`
one of them. Each has a demonstration in `parity_tests/catalogue/` that runs both frameworks: the
port that most people write, which stands as far away as said here, and the mended one, of which
float64 leaves rounding alone. Sizes are relative to the largest entry of Keras's tensor.

This page is generated from the entries: `python -m parity.reference.catalogue > docs/catalogue.md`.
"""


PORTS = "mistakes of a port"

ABOUT_PORTS = """\
What a check can name beside those: no differences between the frameworks, but between two models.
A star stands for any kind of layer or optimizer: `conv.strides`, `dense.bias`."""


def by_kind() -> dict[str, list[Difference]]:
    """Kind to its entries, both in the order of the catalogue."""
    found: dict[str, list[Difference]] = {}
    for entry in CATALOGUE.values():
        found.setdefault(entry.kind, []).append(entry)
    return found


def entry(name: str) -> Difference | Mistake:
    """The entry with this id: a difference, or a mistake that a check can name.

    Raises:
        ParityError: there is none; the message names ids that are close.
    """
    if name in CATALOGUE:
        return CATALOGUE[name]
    if found := mistake(name):
        return found
    every = [*CATALOGUE, *(known for known in MISTAKES if "*" not in known)]
    close = [known for known in every if name in (known.split(".")[0], known.split(".")[-1])]
    close = close or difflib.get_close_matches(name, every, n=3, cutoff=0.5)
    accepted = ", ".join(close) if close else "an id that `parity explain` lists"
    raise ParityError(f"difference: received {name!r}, accepted: {accepted}")


def as_data(entry: Difference | Mistake) -> dict[str, Any]:
    """An entry's fields, for JSON; an infinite size is the text ``inf``."""
    return strict_json.as_text(dataclasses.asdict(entry))  # type: ignore[no-any-return]


def page() -> str:
    """The whole catalogue in Markdown."""
    lines = [HEAD]
    for kind, entries in by_kind().items():
        lines += [f"## {kind.replace('_', ' ')}", ""]
        for one in entries:
            lines += _told(one)
    lines += [f"## {PORTS}", "", ABOUT_PORTS, ""]
    for mistaken in MISTAKES.values():
        lines += _told(mistaken)
    return "\n".join(lines)


def _told(one: Difference | Mistake) -> list[str]:
    lines = [f"### `{one.id}`", "", f"{one.title}.", ""]
    for heading, text in one.sections():
        starless = text.replace("*", r"\*")  # which Markdown takes for emphasis
        lines.append(f"- **{heading}**: {starless}")
    return [*lines, ""]


if __name__ == "__main__":
    print(page(), end="")
