"""The tensors that two records have in common, and the checks of their numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator

from parity import checks, rungs, tolerance
from parity.checks import Check
from parity.constants import DTYPES
from parity.distance import Distance, measure
from parity.record import Record


class Pair:
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
        note, side = self._not_finite(found, dtype, dtype), self.sides[1]
        return Check(
            dtype, rung, rest, observed, allowed, found.index, found.values, dtype, note, side
        )

    def check_float32(self, name: str) -> Check | None:
        """The RMS distance of each side's float32 from the reference's float64.

        It is held against what rounding explains: the other side's distance and the ensembles'
        spread. The side that comes nearer to its limit is reported. Labels and accuracy hang on
        near ties, so float32 does not judge them.
        """
        _, rung, rest = rungs.split(name)
        if rest in ("labels", "accuracy"):
            return None
        exact = rungs.join("float64", rung, rest)
        if exact not in self.both or self.reference.shape(exact) != self.reference.shape(name):
            exact = name  # recorded in float32 alone, or amiss: the weaker comparison
        own = _between((self.reference, exact), (self.reference, name))
        found = self.distance(name, exact)
        spreads = tuple(
            float(record.header.rounding.get(name, 0.0)) for record in (self.reference, self.other)
        )
        judged = [self._held(name, exact, 1, found, own, spreads)]
        if exact != name:
            judged.append(self._held(name, exact, 0, own, found, spreads))
        return max(judged, key=lambda check: (not check.ok, check.severity))

    def _held(
        self,
        name: str,
        exact: str,
        side: int,
        found: Distance,
        others: Distance,
        spreads: tuple[float, ...],
    ) -> Check:
        """One side's float32 held against the float64, its limit taken from the other side's."""
        dtype, rung, rest = rungs.split(name)
        kept = rungs.split(exact)[0]
        notes = [self._not_finite(found, kept, dtype, side)]
        observed, allowed = found.rms, 0.0
        if not all(0 <= spread < math.inf for spread in spreads):
            observed = math.inf
            notes.append("what rounding explains is not known: a run of an ensemble is not finite")
        elif rung != "parameters":
            # what is not finite is a fault, and must not excuse the other side's distance
            error = 0.0 if any(others.not_finite) else others.rms
            allowed = tolerance.allowed_float32(found.scales[0], error, spreads)
        scale = found.scale or 1.0
        return Check(
            dtype,
            rung,
            rest,
            observed / scale,
            allowed / scale,
            found.index,
            found.values,
            kept,
            "; ".join(filter(None, notes)),
            self.sides[side],
        )

    def _labels_apart(self, name: str) -> int:
        pieces = zip(self.reference.pieces(name), self.other.pieces(name), strict=True)
        return sum(int((a != b).sum()) for a, b in pieces)

    def _not_finite(self, found: Distance, reference_dtype: str, dtype: str, side: int = 1) -> str:
        if not any(found.not_finite):
            return ""
        a, b = self.sides[0], self.sides[side]
        x, y = found.not_finite
        return f"not finite: {x} entries of {a} {reference_dtype}, {y} of {b} {dtype}"


def _between(a: tuple[Record, str], b: tuple[Record, str]) -> Distance:
    pieces = zip(a[0].pieces(a[1]), b[0].pieces(b[1]), strict=True)
    return measure(a[0].shape(a[1]), pieces)
