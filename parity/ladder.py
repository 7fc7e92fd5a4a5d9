"""Compare two records rung by rung and reach a verdict."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from parity import rungs, tolerance
from parity.distance import Distance, measure
from parity.errors import ParityError
from parity.record import Record
from parity.specs.base import Layer
from parity.specs.run import Spec, differences


@dataclass(frozen=True)
class Check:
    """One comparison: what was observed, what was allowed, and where it is worst.

    ``observed`` is also the least tolerance that would have passed. Both are relative to the
    tensor's largest entry: the largest difference in float64, the RMS difference in float32. For
    labels they are counts.
    """

    dtype: str
    rung: str
    tensor: str
    observed: float
    allowed: float
    index: tuple[int, ...] = ()
    values: tuple[float, float] | None = None
    note: str = ""

    @property
    def ok(self) -> bool:
        """Whether it passed."""
        return self.observed <= self.allowed

    @property
    def severity(self) -> float:
        """Observed in units of allowed; orders checks of one rung."""
        if self.observed == 0.0:
            return 0.0
        return self.observed / self.allowed if self.allowed else np.inf


@dataclass(frozen=True)
class NullGradient:
    """A parameter whose true gradient is zero on both sides: reported, its gradient not judged.

    ``largest`` is its gradient's largest entry in float64, for each side: rounding alone.
    """

    parameter: str
    largest: tuple[float, float]


@dataclass(frozen=True)
class Comparison:
    """Two records held against each other.

    Attributes:
        checks: every check, in the order of the ladder.
        null_gradients: parameters left out of the verdict, and why.
        notes: sentences from either record.
    """

    reference: Record
    other: Record
    checks: tuple[Check, ...]
    null_gradients: tuple[NullGradient, ...]
    notes: tuple[str, ...]

    @property
    def failed(self) -> tuple[Check, ...]:
        """Checks that did not pass, in the order of the ladder."""
        return tuple(check for check in self.checks if not check.ok)

    @property
    def same(self) -> bool:
        """The verdict."""
        return not self.failed

    def worst(self, dtype: str, rung: str) -> Check | None:
        """The check of a rung that comes nearest to its limit, or passes it furthest."""
        found = [check for check in self.checks if (check.dtype, check.rung) == (dtype, rung)]
        return max(found, key=lambda check: check.severity, default=None)


def compare(a: Record, b: Record) -> Comparison:
    """Hold two ladder records against each other.

    Keras is the reference wherever it takes part, whatever the order of the arguments.

    Raises:
        ParityError: the records are not of the same run, so that comparing them says nothing.
    """
    reference, other = (b, a) if b.header.backend == "keras" != a.header.backend else (a, b)
    _refuse_unequal_runs(reference, other)
    names = _Pairing(reference, other)
    null_gradients = tuple(names.null_gradients())
    null = {entry.parameter for entry in null_gradients}
    checks = [*_against_table(reference), *_against_table(other), *names.unmatched()]
    for name in names.in_order():
        dtype, rung, rest = rungs.split(name)
        if rung == "gradients" and rest in null:
            continue
        if dtype == "float64":
            checks.append(names.check_float64(name))
        elif check := names.check_float32(name):
            checks.append(check)
    checks.sort(key=lambda check: list(rungs.RUNGS).index(check.rung))  # stable
    notes = dict.fromkeys((*reference.header.notes, *other.header.notes))
    return Comparison(reference, other, tuple(checks), null_gradients, tuple(notes))


def _refuse_unequal_runs(a: Record, b: Record) -> None:
    for record in (a, b):
        if record.header.kind != "ladder":
            raise ParityError(
                f"{record.path}: kind: received {record.header.kind!r}, accepted: 'ladder' "
                "(made by the command record)"
            )
    unequal = [
        f"{name} ({x!r} against {y!r})"
        for name, x, y in (
            *differences(a.header.spec, b.header.spec),
            *(
                (name, getattr(a.header, name), getattr(b.header, name))
                for name in ("steps", "dtypes")
                if getattr(a.header, name) != getattr(b.header, name)
            ),
        )
    ]
    if unequal:
        raise ParityError(
            f"{a.path} and {b.path} record different runs: {', '.join(unequal)}; "
            "record both with the same flags"
        )


def _against_table(record: Record) -> Iterator[Check]:
    """Names, shapes and trainability of a record's parameters against the canonical table."""
    table = {row.name: row for row in record.header.spec.model.parameters()}
    backend = record.header.backend
    for dtype in record.header.dtypes:
        prefix = rungs.join(dtype, "parameters", "")
        found = {
            name.removeprefix(prefix): record.shape(name)
            for name in record.names
            if name.startswith(prefix)
        }
        for name in table.keys() | found.keys():
            wanted = table[name].shape if name in table else None
            if found.get(name) != wanted:
                note = f"{backend} has {found.get(name)}, the spec's table {wanted}"
                yield Check(dtype, "parameters", name, np.inf, 0.0, note=note)
    trainable = {row.name for row in table.values() if row.trainable}
    for name in sorted(trainable ^ set(record.header.trainable)):
        does = "trains" if name in record.header.trainable else "does not train"
        note = f"{backend} {does} it, against the spec's table"
        yield Check(record.header.dtypes[0], "parameters", name, np.inf, 0.0, note=note)


@dataclass
class _Pairing:
    """Tensors of two records by name, and the checks that can be made of each pair."""

    reference: Record
    other: Record
    both: set[str] = field(init=False)

    def __post_init__(self) -> None:
        self.both = {
            name
            for name in set(self.reference.names) & set(self.other.names)
            if self._form(self.reference, name) == self._form(self.other, name)
        }

    @staticmethod
    def _form(record: Record, name: str) -> tuple[tuple[int, ...], str]:
        return record.shape(name), record.dtype(name)

    @property
    def spec(self) -> Spec:
        return self.reference.header.spec

    def unmatched(self) -> Iterator[Check]:
        """A failed check for every tensor that is missing, extra, or of another shape or dtype."""
        for name in sorted({*self.reference.names, *self.other.names} - self.both):
            forms = [
                f"{record.header.backend} "
                + (
                    "has {} {}".format(*self._form(record, name))
                    if name in record.names
                    else "lacks it"
                )
                for record in (self.reference, self.other)
            ]
            dtype, rung, rest = rungs.split(name)
            yield Check(dtype, rung, rest, np.inf, 0.0, note=", ".join(forms))

    def in_order(self) -> list[str]:
        """Names of both, along the ladder: forwards through the layers, gradients from the loss back."""
        layers: tuple[Layer, ...] = self.spec.model.layers()
        order = {layer.name: place for place, layer in enumerate(layers)}

        def place(name: str) -> tuple[int, int, str, str]:
            dtype, rung, rest = rungs.split(name)
            owner = rungs.parameter_of(rung, rest) or rest
            at = order.get(owner.split("/")[0], len(order))
            return (list(rungs.RUNGS).index(rung), -at if rung == "gradients" else at, rest, dtype)

        return sorted(self.both, key=place)

    def distance(self, a: tuple[Record, str], b: tuple[Record, str]) -> Distance:
        pieces = zip(a[0].pieces(a[1]), b[0].pieces(b[1]), strict=True)
        return measure(a[0].shape(a[1]), pieces)

    def null_gradients(self) -> Iterator[NullGradient]:
        """Parameters that both backends found to have no gradient but rounding."""
        a, b = (record.header.null_gradients for record in (self.reference, self.other))
        for parameter in sorted(a.keys() & b.keys()):
            yield NullGradient(parameter, (a[parameter], b[parameter]))

    def check_float64(self, name: str) -> Check:
        """The largest difference relative to the largest entry, against the table."""
        dtype, rung, rest = rungs.split(name)
        found = self.distance((self.reference, name), (self.other, name))
        allowed = tolerance.allowed_float64(rung, self.reference.header.steps)
        if rest == "labels":
            count = self._labels_apart(name)
            return Check(dtype, rung, rest, count, 0.0, found.index, found.values)
        return Check(
            dtype, rung, rest, found.relative, allowed, found.index, found.values, _note(found)
        )

    def check_float32(self, name: str) -> Check | None:
        """The RMS difference from the reference's float64, against what rounding explains.

        Labels and accuracy hang on near ties, so float32 does not judge them.
        """
        dtype, rung, rest = rungs.split(name)
        if rest in ("labels", "accuracy"):
            return None
        exact = rungs.join("float64", rung, rest)
        if exact not in self.both:  # recorded in float32 alone: the weaker comparison
            exact = name
        found = self.distance((self.reference, exact), (self.other, name))
        own = self.distance((self.reference, exact), (self.reference, name))
        spreads = tuple(
            record.header.rounding.get(name, 0.0) for record in (self.reference, self.other)
        )
        allowed = tolerance.allowed_float32(found.scale, own.rms, spreads)
        if rung == "parameters":
            allowed = 0.0
        scale = found.scale or 1.0
        return Check(
            dtype,
            rung,
            rest,
            found.rms / scale,
            allowed / scale,
            found.index,
            found.values,
            _note(found),
        )

    def _labels_apart(self, name: str) -> int:
        pieces = zip(self.reference.pieces(name), self.other.pieces(name), strict=True)
        return sum(int((a != b).sum()) for a, b in pieces)


def _note(found: Distance) -> str:
    if not any(found.not_finite):
        return ""
    return "not finite: {} entries of the reference, {} of the other".format(*found.not_finite)
