"""What a check is, and the checks of a record's form, made before any number is read."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from parity import rungs
from parity.optimizers import SLOTS
from parity.record import Record
from parity.specs.run import Spec

Form = tuple[tuple[int | None, ...], str]
"""Shape (None: any length but zero) and dtype as safetensors spells it."""

STORED = {"float64": "F64", "float32": "F32"}

PREDICTIONS = ("outputs", "labels", "accuracy", "loss")
"""Tensors of the last rung, each made from the one before."""


@dataclass(frozen=True)
class Check:
    """One comparison: what was observed, what was allowed, and where it is worst.

    ``observed`` is also the least tolerance that would have passed. Both are relative to the
    tensor's largest entry: the largest difference in float64, the RMS difference in float32. For
    labels and parameter counts they are counts (int). A tensor that cannot be compared is
    infinitely far.

    Attributes:
        values: the reference's and the judged side's entry at ``index``.
        reference_dtype: dtype that the reference's entry is taken from.
        side: whose tensor is judged; the reference's own float32 is held against its float64.
    """

    dtype: str
    rung: str
    tensor: str
    observed: float
    allowed: float
    index: tuple[int, ...] = ()
    values: tuple[float, float] | None = None
    reference_dtype: str = ""
    note: str = ""
    side: str = ""

    @property
    def ok(self) -> bool:
        """Whether it passed; a limit that is not finite allows nothing."""
        return math.isfinite(self.allowed) and self.observed <= self.allowed

    @property
    def severity(self) -> float:
        """Observed in units of allowed; orders checks of one rung."""
        if self.observed == 0.0:
            return 0.0
        ratio = self.observed / self.allowed if self.allowed else math.inf
        return math.inf if math.isnan(ratio) else ratio


def expected(spec: Spec, steps: int, dtype: str) -> dict[str, Form]:
    """Every tensor that a ladder record must hold in one dtype: name to form."""
    model, real = spec.model, STORED[dtype]
    table = model.parameters()
    trained = [row for row in table if row.trainable]
    forms: dict[str, Form] = {}
    for rung in ("forward_eval", "forward_train"):
        forms |= {f"{rung}/{layer.name}": ((None, *layer.shape), real) for layer in model.layers()}
    for place in ("parameters", "step/weights", "steps/weights"):
        forms |= {f"{place}/{row.name}": (row.shape, real) for row in table}
    for place in ("gradients", *(f"step/slots/{slot}" for slot in SLOTS[spec.optimizer.name])):
        forms |= {f"{place}/{row.name}": (row.shape, real) for row in trained}
    forms |= {
        "loss/loss": ((), "F64"),
        "steps/losses": ((steps,), real),
        "predictions/outputs": ((None, model.outputs), real),
        "predictions/labels": ((None,), "I64"),
        "predictions/accuracy": ((), "F64"),
        "predictions/loss": ((), "F64"),
    }
    return {rungs.join(dtype, name): form for name, form in forms.items()}


def form_of(record: Record, name: str) -> tuple[tuple[int, ...], str] | None:
    """Shape and dtype of a record's tensor, None if it has none of that name."""
    return (record.shape(name), record.dtype(name)) if name in record.names else None


def forms(reference: Record, other: Record) -> Iterator[Check]:
    """A failed check for each tensor that is missing, extra, or not as the spec calls for."""
    header = reference.header
    wanted: dict[str, Form] = {}
    for dtype in header.dtypes:
        wanted |= expected(header.spec, header.steps, dtype)
    for name in sorted({*wanted, *reference.names, *other.names}):
        found = [form_of(record, name) for record in (reference, other)]
        if found[0] == found[1] and _fits(found[0], wanted.get(name)):
            continue
        sides = sides_of(reference, other)
        parts = [
            f"{side} has {_text(form)}" if form else f"{side} lacks it"
            for side, form in zip(sides, found, strict=True)
        ]
        form = wanted.get(name)
        parts.append(f"the spec calls for {_text(form)}" if form else "the spec has none such")
        yield Check(*rungs.split(name), math.inf, 0.0, note=", ".join(parts))


def _fits(found: Form | None, wanted: Form | None) -> bool:
    if found is None or wanted is None:
        return False
    (shape, dtype), (pattern, stored) = found, wanted
    return (
        dtype == stored
        and len(shape) == len(pattern)
        and all(n == m if m is not None else n for n, m in zip(shape, pattern, strict=True))
    )


def _text(form: Form) -> str:
    shape, dtype = form
    lengths = ", ".join("any" if length is None else str(length) for length in shape)
    return f"({lengths}{',' if len(shape) == 1 else ''}) {dtype}"


def sides_of(reference: Record, other: Record) -> tuple[str, str]:
    """What to call the two sides: the backends' names, told apart where they are the same."""
    a, b = reference.header.backend, other.header.backend
    return (a, b) if a != b else (f"{a} (first)", f"{b} (second)")


def trained(record: Record, side: str) -> Iterator[Check]:
    """Which parameters a record trains, and how many entries those and all of them have.

    Held against the spec's canonical table. The counts are the framework's own, so they see what
    no canonical name covers; they are checks that can pass, too.
    """
    header = record.header
    table = {row.name: row for row in header.spec.model.parameters()}
    should = {row.name for row in table.values() if row.trainable}
    for name in sorted(should ^ set(header.trainable)):
        does = "trains" if name in header.trainable else "does not train"
        note = f"{side} {does} it, against the spec's table"
        yield Check(header.dtypes[0], "parameters", name, math.inf, 0.0, note=note)
    ought = {
        "total": ("parameters", sum(row.size for row in table.values())),
        "trainable": ("trainable parameters", sum(table[name].size for name in should)),
    }
    for kind, (what, ought_to) in ought.items():
        found = header.counts.get(kind, 0)
        note = "" if found == ought_to else f"{found:,} against the spec's {ought_to:,}"
        tensor = f"number of {what} ({side})"
        yield Check(
            header.dtypes[0], "parameters", tensor, abs(found - ought_to), 0, note=note, side=side
        )
