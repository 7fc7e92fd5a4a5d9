"""Compare two records rung by rung and reach a verdict."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from parity import checks, rungs, tolerance
from parity.checks import Check
from parity.constants import DTYPES
from parity.distance import Distance, measure
from parity.errors import ParityError
from parity.record import Record
from parity.specs.run import differences

BLIND = 0.1
"""A float32 limit from here on, relative to the tensor's largest entry, judges hardly anything."""


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
        checks: every check, in the order of the ladder; gradients from the loss back.
        null_gradients: parameters whose gradients are left out of the verdict.
        notes: sentences for the report.
    """

    reference: Record
    other: Record
    checks: tuple[Check, ...]
    null_gradients: tuple[NullGradient, ...]
    notes: tuple[str, ...]

    @property
    def sides(self) -> tuple[str, str]:
        """What to call (the reference, the other)."""
        return checks.sides_of(self.reference, self.other)

    @property
    def failed(self) -> tuple[Check, ...]:
        """Checks that did not pass, in the order of the ladder."""
        return tuple(check for check in self.checks if not check.ok)

    @property
    def same(self) -> bool:
        """The verdict."""
        return not self.failed

    @property
    def decisive(self) -> bool:
        """Whether float64 was recorded; float32 alone gives a weaker verdict."""
        return "float64" in self.reference.header.dtypes

    @property
    def first(self) -> Check | None:
        """The first divergence: the first failed check of float64, else that of float32."""
        return min(self.failed, key=lambda check: DTYPES.index(check.dtype), default=None)

    @property
    def blind(self) -> tuple[Check, ...]:
        """Checks of float32 whose limit is so wide that they say next to nothing."""
        return tuple(
            check for check in self.checks if check.dtype == "float32" and check.allowed >= BLIND
        )

    def worst(self, dtype: str, rung: str) -> Check | None:
        """The check of a rung that comes nearest to its limit, or passes it furthest."""
        found = [check for check in self.checks if (check.dtype, check.rung) == (dtype, rung)]
        return max(found, key=lambda check: (not check.ok, check.severity), default=None)


def compare(a: Record, b: Record) -> Comparison:
    """Hold two ladder records against each other.

    Keras is the reference wherever it takes part, whatever the order of the arguments.

    Raises:
        ParityError: a record is malformed, or they are not of the same run, so that comparing
            them says nothing.
    """
    reference, other = (b, a) if b.header.backend == "keras" != a.header.backend else (a, b)
    for record in (reference, other):
        checks.refuse_malformed(record)
    _refuse_unequal_runs(reference, other)
    pair = _Pair(reference, other)
    found = [*checks.forms(reference, other)]
    for record, side in zip((reference, other), pair.sides, strict=True):
        found += checks.trained(record, side)
    null = pair.null_candidates()
    largest_gradient = 0.0
    for name in pair.comparable():
        dtype, rung, rest = rungs.split(name)
        if rung == "gradients" and rest in null:
            continue
        if dtype == "float64":
            distance = pair.distance(name)
            if rung == "gradients":
                largest_gradient = max(largest_gradient, distance.scale)
            found.append(pair.check_float64(name, distance))
        elif check := pair.check_float32(name):
            found.append(check)
    null_gradients = []
    for parameter in sorted(null):
        if pair.is_null(parameter, largest_gradient):
            null_gradients.append(NullGradient(parameter, null[parameter]))
        else:
            found += pair.judge_after_all(parameter)
    found.sort(key=pair.place)
    notes = [*reference.header.notes, *other.header.notes, *pair.notes()]
    return Comparison(
        reference, other, tuple(found), tuple(null_gradients), tuple(dict.fromkeys(notes))
    )


def _refuse_unequal_runs(a: Record, b: Record) -> None:
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


class _Pair:
    """Tensors of two records by name, and the checks that can be made of each pair."""

    def __init__(self, reference: Record, other: Record) -> None:
        self.reference, self.other = reference, other
        self.sides = checks.sides_of(reference, other)
        self.both = {
            name
            for name in set(reference.names) & set(other.names)
            if checks.form_of(reference, name) == checks.form_of(other, name)
        }
        layers = reference.header.spec.model.layers()
        self.order = {layer.name: number for number, layer in enumerate(layers)}

    def place(self, check: Check) -> tuple[int, int, int, str, int]:
        """Sort key along the ladder: forwards through the layers, gradients from the loss back."""
        owner = rungs.parameter_of(check.rung, check.tensor) or check.tensor
        layer = self.order.get(owner.split("/")[0], len(self.order))
        predicted = check.rung == "predictions" and check.tensor in checks.PREDICTIONS
        return (
            list(rungs.RUNGS).index(check.rung),
            -layer if check.rung == "gradients" and owner.split("/")[0] in self.order else layer,
            checks.PREDICTIONS.index(check.tensor) if predicted else 0,
            check.tensor,
            DTYPES.index(check.dtype),
        )

    def comparable(self) -> Iterator[str]:
        """Names of the tensors that both records have in the same form."""
        return iter(sorted(self.both))

    def distance(self, name: str, reference: str | None = None) -> Distance:
        """From the reference's tensor (``name``, or another dtype's) to the other's ``name``."""
        return _between((self.reference, reference or name), (self.other, name))

    def null_candidates(self) -> dict[str, tuple[float, float]]:
        """Parameters whose gradient both backends found to be rounding alone."""
        a, b = (record.header.null_gradients for record in (self.reference, self.other))
        return {parameter: (a[parameter], b[parameter]) for parameter in a.keys() & b.keys()}

    def is_null(self, parameter: str, largest_gradient: float) -> bool:
        """Whether the recorded gradients bear out what both headers say."""
        name = rungs.join("float64", "gradients", parameter)
        if name not in self.both or self.distance(name).scale > (
            tolerance.NULL_GRADIENT * largest_gradient
        ):
            return False
        return all(not any(self.distance(name).not_finite) for name in self._gradients(parameter))

    def judge_after_all(self, parameter: str) -> Iterator[Check]:
        """The usual checks for a gradient that is not as null as both headers say."""
        for name in self._gradients(parameter):
            if name.startswith("float64"):
                yield self.check_float64(name, self.distance(name))
            elif check := self.check_float32(name):
                yield check

    def _gradients(self, parameter: str) -> list[str]:
        names = (rungs.join(dtype, "gradients", parameter) for dtype in DTYPES)
        return [name for name in names if name in self.both]

    def notes(self) -> Iterator[str]:
        """Where the two disagree about what is not judged by numbers."""
        a, b = (set(record.header.null_gradients) for record in (self.reference, self.other))
        for side, alone in zip(self.sides, (a - b, b - a), strict=True):
            if alone:
                yield (
                    f"null gradient for {side} alone, so judged like any other: "
                    f"{', '.join(sorted(alone))}"
                )

    def check_float64(self, name: str, found: Distance) -> Check:
        """The largest difference relative to the largest entry, against the table."""
        dtype, rung, rest = rungs.split(name)
        observed, allowed = found.relative, 0.0
        if rest == "labels":
            observed = self._labels_apart(name)
        else:
            allowed = tolerance.allowed_float64(rung, self.reference.header.steps)
        note = self._not_finite(found, dtype, dtype)
        return Check(dtype, rung, rest, observed, allowed, found.index, found.values, dtype, note)

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
        kept = rungs.split(exact)[0]
        found = self.distance(name, exact)
        own = _between((self.reference, exact), (self.reference, name))
        spreads = tuple(
            float(record.header.rounding.get(name, 0.0)) for record in (self.reference, self.other)
        )
        notes = [self._not_finite(found, kept, dtype)]
        observed, allowed = found.rms, 0.0
        if own.not_finite[1]:  # an infinite error of its own must not excuse the other's
            observed = math.inf
            notes.append(f"{self.sides[0]} {dtype}: {own.not_finite[1]} entries are not finite")
        elif not all(0 <= spread < math.inf for spread in spreads):
            observed = math.inf
            notes.append("what rounding explains is not known: a run of its ensemble is not finite")
        elif rung != "parameters":
            allowed = tolerance.allowed_float32(found.scales[0], own.rms, spreads)
        scale = found.scale or 1.0
        worst = own if own.not_finite[1] and not any(found.not_finite) else found
        return Check(
            dtype,
            rung,
            rest,
            observed / scale,
            allowed / scale,
            worst.index,
            found.values if worst is found else None,
            kept,
            "; ".join(filter(None, notes)),
        )

    def _labels_apart(self, name: str) -> int:
        pieces = zip(self.reference.pieces(name), self.other.pieces(name), strict=True)
        return sum(int((a != b).sum()) for a, b in pieces)

    def _not_finite(self, found: Distance, reference_dtype: str, dtype: str) -> str:
        if not any(found.not_finite):
            return ""
        (a, b), (x, y) = self.sides, found.not_finite
        return f"not finite: {x} entries of {a} {reference_dtype}, {y} of {b} {dtype}"


def _between(a: tuple[Record, str], b: tuple[Record, str]) -> Distance:
    pieces = zip(a[0].pieces(a[1]), b[0].pieces(b[1]), strict=True)
    return measure(a[0].shape(a[1]), pieces)
