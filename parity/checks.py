"""What a check is, and the checks of a record's form, made before any number is read."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from parity import rungs
from parity.record import Header, Record
from parity.specs.run import Spec

Form = tuple[tuple[int | None, ...], str]
"""Shape (None: any length but zero) and dtype as safetensors spells it."""

STORED = {"float64": "F64", "float32": "F32"}

DRAWN = {"bool": "BOOL", "float32": "F32"}
"""The same of what layers draw."""

PREDICTIONS = ("outputs", "labels", "accuracy", "loss")
"""Tensors of the last rung, each made from the one before."""

HISTORY = ("loss", "val_loss", "val_accuracy", "learning_rate")
"""Metrics of an epoch, by name."""

TRAINED = ("epochs", "losses", *(f"history/{name}" for name in HISTORY), "outputs", "labels")
"""Tensors of a whole training besides its weights, in the order of comparing."""


@dataclass(frozen=True)
class Check:
    """One comparison: what was observed, what was allowed and why, and where it is worst.

    Both are relative to the tensor's largest entry: the largest difference in float64, the RMS
    difference in float32. For labels and parameter counts they are counts (int). A tensor that
    cannot be compared is infinitely far.

    Attributes:
        values: the reference's and the judged side's entry at ``index``.
        reference_dtype: dtype that the reference's entry is taken from.
        side: whose tensor is judged; the reference's own float32 is held against its float64.
        reason: why so much is allowed.
        override: whether that is not the table's but an override of it.
        step: of several steps in one tensor, the first, from 1, that is beyond what is allowed.
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
    reason: str = ""
    override: bool = False
    step: int | None = None

    @property
    def least(self) -> float:
        """The least tolerance that would have passed: what was observed."""
        return self.observed

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


def expected(header: Header, dtype: str) -> dict[str, Form]:
    """Every tensor that a ladder or replay record must hold in one dtype: name to form."""
    forms = _of_layers(header.spec, dtype)
    if header.kind != "replay":
        forms |= _of_training(header.spec, header.steps, dtype)
    if header.kind == "ladder" and header.epochs and dtype == "float64":
        forms |= _of_whole_training(header.spec)
    if header.seeds > 1 and dtype == "float32":
        forms |= {
            "predictions/over_seeds/labels": ((header.seeds, None), "I64"),
            "predictions/over_seeds/accuracy": ((header.seeds,), "F64"),
            "predictions/over_seeds/loss": ((header.seeds,), "F64"),
        }
    if header.kind == "replay":  # only what comes out of a layer
        inner = ("mask", "input")
        forms = {name: form for name, form in forms.items() if name.split("/")[-1] not in inner}
    return {rungs.join(dtype, name): form for name, form in forms.items()}


def _of_layers(spec: Spec, dtype: str) -> dict[str, Form]:
    """Forward passes and gradients."""
    model, real = spec.model, STORED[dtype]
    forms: dict[str, Form] = {}
    for rung in rungs.FORWARD:
        forms[f"{rung}/input"] = ((None, *model.input_shape), real)
        forms |= _masks(spec, f"{rung}/")
        forms |= {f"{rung}/{layer.name}": ((None, *layer.shape), real) for layer in model.layers()}
    forms |= {
        f"gradients/{row.name}": (row.shape, real) for row in model.parameters() if row.trainable
    }
    if dtype == "float64":
        forms |= {
            f"gradients/{layer.name}/output": ((None, *layer.shape), real)
            for layer in model.layers()
        }
    return forms


def _of_training(spec: Spec, steps: int, dtype: str) -> dict[str, Form]:
    """Parameters, loss, optimizer steps and predictions."""
    model, real = spec.model, STORED[dtype]
    table = model.parameters()
    forms: dict[str, Form] = {}
    between = [f"steps/{step}" for step in rungs.snapshots(steps)]
    weights = (f"{place}/weights" for place in ("step", *between, "steps"))
    for place in ("parameters", *weights):
        forms |= {f"{place}/{row.name}": (row.shape, real) for row in table}
    trained = [row for row in table if row.trainable]
    for slot in spec.optimizer.slots:
        forms |= {f"step/slots/{slot}/{row.name}": (row.shape, real) for row in trained}
    if dtype == "float64":
        last = [f"steps/{steps}"] if steps > 1 else []
        for place in ("step", *between, *last):
            forms |= {
                f"{place}/input": ((None, *model.input_shape), real),
                f"{place}/labels": ((None,), "I64"),
                f"{place}/loss": ((), real),
                **_masks(spec, f"{place}/"),
            }
            if getattr(model, "variable_length", False):
                forms[f"{place}/lengths"] = ((None,), "I64")
    return forms | {
        "loss/loss": ((), "F64"),
        "steps/losses": ((steps,), real),
        "predictions/outputs": ((None, model.outputs), real),
        "predictions/labels": ((None,), "I64"),
        "predictions/accuracy": ((), "F64"),
        "predictions/loss": ((), "F64"),
    }


def _of_whole_training(spec: Spec) -> dict[str, Form]:
    """All that stands behind the ladder; how long it took is for the numbers to say."""
    forms: dict[str, Form] = dict.fromkeys(TRAINED, ((None,), "F64"))
    forms |= {
        "epochs": ((), "I64"),
        "outputs": ((None, spec.model.outputs), "F64"),
        "labels": ((None,), "I64"),
        **{f"weights/{row.name}": (row.shape, "F64") for row in spec.model.parameters()},
    }
    return {f"{rungs.WHOLE}/{name}": form for name, form in forms.items()}


def _masks(spec: Spec, prefix: str) -> dict[str, Form]:
    return {
        f"{prefix}{name}/mask": ((None, *draw.shape), DRAWN[draw.dtype])
        for name, draw in spec.model.draws().items()
    }


def form_of(record: Record, name: str) -> tuple[tuple[int, ...], str] | None:
    """Shape and dtype of a record's tensor, None if it has none of that name."""
    return (record.shape(name), record.dtype(name)) if name in record.names else None


def forms(reference: Record, other: Record) -> Iterator[Check]:
    """A failed check for each tensor that is missing, extra, or not as the spec calls for."""
    header = reference.header
    wanted: dict[str, Form] = {}
    for dtype in header.dtypes:
        wanted |= expected(header, dtype)
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


def forms_of_replay(reference: Record, replay: Record) -> Iterator[Check]:
    """A failed check for each tensor of a replay that is not as the reference's, and the spec's."""
    wanted = expected(replay.header, "float64")
    for name in sorted({*wanted, *replay.names}):
        found = form_of(replay, name)
        if not _fits(found, wanted.get(name)) or found != form_of(reference, name):
            note = f"the replay has {_text(found) if found else 'nothing'} of it"
            yield Check(*rungs.split(name), math.inf, 0.0, note=note)


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
    for layer in header.spec.model.layers():
        ought_to = sum(table[name].size for name in should if name.split("/")[0] == layer.name)
        if (found := header.counts.get(layer.name, 0)) or ought_to:
            name = f"{layer.name}/trainable parameters"
            yield _count(name, found, ought_to, header, side)
    total = sum(row.size for row in table.values())
    trainable = sum(table[name].size for name in should)
    yield _count("parameters in all", header.counts.get("total", 0), total, header, side)
    yield _count(
        "trainable parameters in all", header.counts.get("trainable", 0), trainable, header, side
    )


def _count(what: str, found: int, ought_to: int, header: Header, side: str) -> Check:
    """A framework's own count against the spec's."""
    return Check(
        header.dtypes[0],
        "parameters",
        f"{what} ({side})",
        abs(found - ought_to),
        0,
        note="" if found == ought_to else f"{found:,} against the spec's {ought_to:,}",
        side=side,
        reason="a count",
    )
