"""The tensors that two records have in common, and the checks of their numbers."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np

from parity import checks, metrics, rungs, tolerance
from parity.checks import Check
from parity.constants import DTYPES
from parity.distance import Distance, measure
from parity.optimizers import handed_down
from parity.record import Record
from parity.tolerance import Allowed

SHARES = {"float64": tolerance.NULL_GRADIENT, "float32": tolerance.NULL_GRADIENT_FLOAT32}
"""Dtype to the share of the largest gradient that a null one may have."""

ROUNDED = 2.0**-52
"""Of an accuracy, relative: a share of whole numbers, divided once."""

KINDS = (
    *("fed", "mask", "output gradient", "output", "other"),
    *("parameter", "gradient", "slot", "weight"),
)
"""What a tensor can be, in the order in which a layer or a step makes it."""


class Pair:
    """Tensors of two records by name, and the checks that can be made of each pair.

    Attributes:
        null: parameters whose gradient both sides call rounding alone, with its largest entries.
    """

    def __init__(
        self, reference: Record, other: Record, overrides: Mapping[str, Allowed] | None = None
    ) -> None:
        """``overrides`` replaces rows of the float64 table, by rung."""
        self.reference, self.other = reference, other
        self.overrides = overrides or {}
        self.records = (reference, other)
        self.sides = checks.sides_of(reference, other)
        self.both = {
            name
            for name in set(reference.names) & set(other.names)
            if checks.form_of(reference, name) == checks.form_of(other, name)
        }
        layers = reference.header.spec.model.layers()
        self.order = {layer.name: number for number, layer in enumerate(layers)}
        self._distances: dict[tuple[str, str], Distance] = {}
        self._handed: dict[str, float] = {}
        self._of_a_kind: dict[tuple[str, str], list[str]] = {}
        for name in sorted(self.both):
            dtype, rung, rest = rungs.split(name)
            meant = rungs.meaning(rung, rest)
            self._of_a_kind.setdefault((dtype, meant.kind), []).append(name)
        self.null = self._null_candidates()
        self.saturated = {dtype: self._saturated(dtype) for dtype in reference.header.dtypes}

    def place(self, check: Check) -> tuple[int | str, ...]:
        """Sort key along the ladder: as computed, gradients from the loss back."""
        meant = rungs.meaning(check.rung, check.tensor)
        layer = self.order.get(meant.owner, len(self.order))
        kinds = KINDS.index(meant.kind)
        if check.rung == "gradients":  # into a layer from above, then its parameters
            layer = -layer if meant.owner in self.order else layer
        elif meant.kind == "fed":
            layer = -1
        elif meant.kind in ("slot", "weight") and self._trains(meant.parameter):
            layer += len(self.order) + 1  # after all that the forward pass moves
        step = check.step or meant.step or self.reference.header.steps
        given = meant.kind in ("fed", "mask")
        steps = (step, not given, check.tensor != "losses") if check.rung == "steps" else ()
        predicted = check.rung == "predictions" and check.tensor in checks.PREDICTIONS
        number = checks.PREDICTIONS.index(check.tensor) if predicted else 0
        order = (*steps, *((0,) * (3 - len(steps))), layer, kinds, number, check.tensor)
        return (list(rungs.RUNGS).index(check.rung), *order, DTYPES.index(check.dtype))

    def _trains(self, parameter: str | None) -> bool:
        return parameter in self.reference.header.trainable

    def comparable(self) -> Iterator[str]:
        """Names of the tensors that both records have in the same form."""
        return iter(sorted(self.both))

    def distance(self, name: str, reference: str | None = None) -> Distance:
        """From the reference's tensor (``name``, or another dtype's) to the other's ``name``."""
        key = (name, reference or name)
        if key not in self._distances:
            self._distances[key] = _between((self.reference, key[1]), (self.other, name))
        return self._distances[key]

    def judged(self, name: str) -> Iterator[Check]:
        """The check of a tensor, if its dtype judges it."""
        dtype, rung, rest = rungs.split(name)
        meant = rungs.meaning(rung, rest)
        if self._past_saturation(dtype, meant) or rest.startswith("over_seeds/"):
            found = self.distance(name)
            if any(found.not_finite):  # which no rounding explains
                yield self._direct(name, found, math.inf, tolerance.EXACT)
        elif dtype == "float64":
            yield self.check_float64(name, self.distance(name))
        elif check := self.check_float32(name):
            yield check

    def _past_saturation(self, dtype: str, meant: rungs.Meaning) -> bool:
        """Whether rounding alone decides what this tensor holds."""
        since = self.saturated[dtype]
        if since is None:
            return False
        step = meant.step or self.reference.header.steps
        if meant.kind == "weight":
            return step >= since
        if meant.owner == "loss" and meant.step:
            return step > since  # computed with the weights of the step before
        return meant.kind == "other" and meant.owner in ("losses", *checks.PREDICTIONS)

    def _saturated(self, dtype: str) -> int | None:
        """The first kept step after which an ensemble has spread half of all trained entries."""
        spread: Counter[int] = Counter()
        entries: Counter[int] = Counter()
        if dtype == "float64" and self.reference.header.steps <= tolerance.STEPS:
            return None  # which has no ensemble
        for name in self.both:
            if not name.startswith(f"{dtype}/step"):
                continue
            meant = rungs.meaning(*rungs.split(name)[1:])
            if meant.kind == "weight" and self._trains(meant.parameter):
                step = meant.step or self.reference.header.steps
                size = math.prod(self.reference.shape(name))
                entries[step] += size
                spread[step] += size * self._spread_over_its_scale(name)
        return min((step for step in entries if 2 * spread[step] >= entries[step]), default=None)

    def _spread_over_its_scale(self, name: str) -> bool:
        """Whether rounding moves a tensor by a share of its largest entry that leaves none fixed.

        An ensemble that is not finite explains nothing, and nothing spreads over zeros. In float64
        one side's ensemble must not excuse the other's.
        """
        spreads = (record.header.rounding.get(name, 0.0) for record in self.records)
        wide = [
            scale > 0 and tolerance.SATURATED * scale <= moved < math.inf
            for moved, scale in zip(spreads, self.distance(name).scales, strict=True)
        ]
        return any(wide) if name.startswith("float32") else all(wide)

    def _null_candidates(self) -> dict[str, tuple[float, float]]:
        """Parameters whose gradient is rounding alone on both sides, with its largest entries.

        A side whose rounding cancels to exact zeros does not name the parameter, but agrees.
        """
        a, b = (record.header.null_gradients for record in (self.reference, self.other))
        found = {}
        for parameter in sorted(a.keys() | b.keys()):
            zero = [False, False]
            name = rungs.join("float64", "gradients", parameter)
            if name in self.both:
                gradient = self.distance(name)
                for side in range(2):
                    zero[side] = not gradient.scales[side] and not gradient.not_finite[side]
            if (parameter in a or zero[0]) and (parameter in b or zero[1]):
                found[parameter] = (a.get(parameter, 0.0), b.get(parameter, 0.0))
        return found

    def largest_gradient(self, dtype: str) -> float:
        """Largest entry of the model's gradients in a dtype, those that may be null left out."""
        names = (rungs.join(dtype, "gradients", row) for row in self.reference.header.trainable)
        scales = (
            self.distance(name).scale
            for name in names
            if name in self.both and rungs.split(name)[2] not in self.null
        )
        return max(scales, default=0.0)

    def not_null(self, parameter: str, largest: dict[str, float]) -> list[str]:
        """The gradients of a candidate that must be judged after all.

        Both dtypes' where the recorded float64 does not bear out what the headers say; float32's
        alone where that one is more than its own rounding.

        Args:
            parameter: one of :attr:`null`.
            largest: dtype to :meth:`largest_gradient`.
        """
        gradients = {dtype: rungs.join(dtype, "gradients", parameter) for dtype in DTYPES}
        large = []
        for dtype, share in SHARES.items():
            found = self.distance(gradients[dtype]) if gradients[dtype] in self.both else None
            if not found or any(found.not_finite) or found.scale > share * largest[dtype]:
                large.append(dtype)
        judged = DTYPES if "float64" in large else large
        return [gradients[dtype] for dtype in judged if gradients[dtype] in self.both]

    def notes(self) -> Iterator[str]:
        """Where the two disagree about what is not judged by numbers."""
        for side, record in zip(self.sides, (self.reference, self.other), strict=True):
            alone = sorted(record.header.null_gradients.keys() - self.null.keys())
            if alone:
                yield (
                    f"null gradient for {side} alone, so judged like any other: {', '.join(alone)}"
                )

    def check_float64(self, name: str, found: Distance) -> Check:
        """The largest difference relative to the largest entry, against the table."""
        _, rung, rest = rungs.split(name)
        if rest == "losses":
            return self._losses(name)
        if rung == "predictions" and rest in ("labels", "accuracy"):
            return self._labels(name, found)
        return self._direct(name, found, found.relative, self._allowed(name, found.scale))

    def _labels(self, name: str, found: Distance) -> Check:
        """Labels, or their accuracy: but for near ties, which the outputs' limit leaves open."""
        dtype, rung, rest = rungs.split(name)
        outputs = rungs.join(dtype, rung, "outputs")
        ties = np.zeros(1, bool)
        if outputs in self.both and self.reference.shape(outputs)[0]:
            scale = self.distance(outputs).scale
            away = self._allowed(outputs, scale).limit * scale
            model = self.reference.header.spec.model
            ties = metrics.margins(model, self.reference.tensor(outputs)) <= 2 * away
        reason = f"{ties.sum()} near ties, open within what the outputs are allowed"
        allowed = Allowed(0.0, reason, True) if ties.any() else tolerance.EXACT
        if rest == "accuracy" and rung in self.overrides:
            return self._direct(name, found, found.relative, self.overrides[rung])
        if rest == "accuracy":
            share = float(ties.mean()) / (found.scale or 1.0)
            open_too = dataclasses.replace(allowed, limit=max(share, ROUNDED))
            return self._direct(name, found, found.relative, open_too)
        x, y = (record.tensor(name) for record in self.records)
        settled = ~ties if len(ties) == len(x) else np.ones(len(x), bool)
        return self._direct(name, found, int(((x != y) & settled).sum()), allowed)

    def _allowed(self, name: str, scale: float) -> Allowed:
        """Of a tensor whose largest entry is ``scale``, in float64."""
        dtype, rung, rest = rungs.split(name)
        meant = rungs.meaning(rung, rest)
        if dtype == "float64" and rung in self.overrides and meant.kind not in tolerance.GIVEN:
            return self.overrides[rung]
        header, scale = self.reference.header, scale or 1.0
        step = meant.step or (header.steps if rung in ("steps", "predictions") else 1)
        # the smaller, so that one side's ensemble does not excuse the other
        moved = min(record.header.rounding.get(name, 0.0) for record in self.records)
        handed = self._handed_down(meant.parameter) if meant.kind == "weight" else 0.0
        return tolerance.allowed_float64(meant.kind, rung, step, moved / scale, handed / scale)

    def _handed_down(self, parameter: str | None) -> float:
        """What the gradients' distance, if that is allowed, comes to in a weight by one step."""
        name = rungs.join("float64", "gradients", str(parameter))
        if name not in self.both or parameter in self.null:
            return 0.0
        if name not in self._handed:
            found = self.distance(name)
            fine = found.relative <= tolerance.FLOAT64["gradients"].limit
            pieces = zip(*(record.pieces(name) for record in self.records), strict=True)
            optimizer = self.reference.header.spec.optimizer
            self._handed[name] = (
                max((handed_down(optimizer, a, b) for a, b in pieces), default=0.0)
                if fine and not any(found.not_finite)
                else 0.0
            )
        return self._handed[name]

    def _losses(self, name: str) -> Check:
        """The loss of every step; where some are amiss, it names the first."""
        found = self.distance(name)
        check = self._direct(name, found, found.relative, self._allowed(name, found.scale))
        if check.ok:
            return check
        x, y = (record.tensor(name) for record in self.records)
        with np.errstate(invalid="ignore"):
            amiss = ~(np.abs(x - y) / (found.scale or 1.0) <= check.allowed)
        first = int(amiss.argmax())
        return dataclasses.replace(
            check, index=(first,), values=(float(x[first]), float(y[first])), step=first + 1
        )

    def _direct(self, name: str, found: Distance, observed: float, allowed: Allowed) -> Check:
        """One side's tensor against the other's of the same dtype."""
        dtype, rung, rest = rungs.split(name)
        return Check(
            dtype,
            rung,
            rest,
            observed,
            allowed.limit,
            found.index,
            found.values,
            dtype,
            note=self._not_finite(found, dtype, dtype),
            side=self.sides[1],
            reason=allowed.reason,
            override=allowed.override,
        )

    def check_float32(self, name: str) -> Check | None:
        """The RMS distance of each side's float32 from the reference's float64.

        It is held against what rounding explains: the other side's distance and the ensembles'
        spread. Nothing explains one in what both dtypes are given. The side that comes nearer to
        its limit is reported. Labels and accuracy hang on near ties, so float32 judges no more of
        them than that they are finite.
        """
        _, rung, rest = rungs.split(name)
        if rest in ("labels", "accuracy"):
            found = self.distance(name)
            if not any(found.not_finite):
                return None
            return self._direct(name, found, math.inf, tolerance.EXACT)
        exact = rungs.join("float64", rung, rest)
        if exact not in self.both or self.reference.shape(exact) != self.reference.shape(name):
            exact = name  # recorded in float32 alone, or amiss: the weaker comparison
        own = _between((self.reference, exact), (self.reference, name))
        found = self.distance(name, exact)
        spreads = self._spreads(name, found.scales[0])
        judged = [self._held(name, exact, 1, found, own, spreads)]
        if exact != name:
            judged.append(self._held(name, exact, 0, own, found, spreads))
        return max(judged, key=lambda check: (not check.ok, check.severity))

    def _spreads(self, name: str, scale: float) -> tuple[float, float]:
        """What each side's ensemble moves a tensor by; for one of few entries, see tolerance."""
        rounding = [record.header.rounding for record in self.records]
        own = [float(moved.get(name, 0.0)) for moved in rounding]
        dtype, rung, rest = rungs.split(name)
        meant = rungs.meaning(rung, rest)
        few = math.prod(self.reference.shape(name)) < tolerance.FEW_ENTRIES
        if not few or meant.parameter is None or not all(0 <= moved < math.inf for moved in own):
            return own[0], own[1]
        last = self.reference.header.steps
        for other in self._of_a_kind[dtype, meant.kind]:
            if (rungs.meaning(*rungs.split(other)[1:]).step or last) > (meant.step or last):
                continue
            size = self.distance(other).scales[0]
            for side, moved in enumerate(rounding):
                share = moved.get(other, 0.0) / size if size else 0.0
                if math.isfinite(share):
                    own[side] = max(own[side], share * scale)
        return own[0], own[1]

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
        observed, allowed = found.rms, tolerance.EXACT
        if not all(0 <= spread < math.inf for spread in spreads):
            observed = math.inf
            notes.append("what rounding explains is not known: a run of an ensemble is not finite")
        elif rungs.meaning(rung, rest).kind not in tolerance.GIVEN:
            # what is not finite is a fault, and must not excuse the other side's distance
            error = 0.0 if any(others.not_finite) else others.rms
            allowed = tolerance.allowed_float32(found.scales[0], error, spreads)
        scale = found.scale or 1.0
        return Check(
            dtype,
            rung,
            rest,
            observed / scale,
            allowed.limit / scale,
            found.index,
            found.values,
            kept,
            note="; ".join(filter(None, notes)),
            side=self.sides[side],
            reason=allowed.reason,
        )

    def _not_finite(self, found: Distance, reference_dtype: str, dtype: str, side: int = 1) -> str:
        if not any(found.not_finite):
            return ""
        a, b = self.sides[0], self.sides[side]
        x, y = found.not_finite
        return f"not finite: {x} entries of {a} {reference_dtype}, {y} of {b} {dtype}"


def _between(a: tuple[Record, str], b: tuple[Record, str]) -> Distance:
    pieces = zip(a[0].pieces(a[1]), b[0].pieces(b[1]), strict=True)
    return measure(a[0].shape(a[1]), pieces)
