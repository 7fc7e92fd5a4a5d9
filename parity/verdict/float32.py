"""What float32 is held against: float64, and what rounding does to this very model."""

from __future__ import annotations

import math

from parity import rungs
from parity.numerics import tolerance
from parity.verdict.checks import Check
from parity.verdict.record_pair import Pair

Spreads = tuple[float, float]
"""What rounding moves a tensor by on (the reference's side, the other's)."""


class Float32:
    """Judges tensors of a pair by the RMS distance of each side from the reference's float64."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self._widest: dict[tuple[str, int], Spreads] = {}

    def check(self, name: str) -> Check | None:
        """The check of a tensor, by the side that comes nearer to its limit; None if it has none.

        A limit is taken from the other side's distance and from both ensembles' spread; nothing
        explains a distance in what both dtypes are given. Labels and accuracy hang on near ties,
        so float32 judges no more of them than that they are finite.
        """
        if rungs.split(name)[2] in ("labels", "accuracy"):
            found = self.pair.distance(name)
            if not any(found.not_finite):
                return None
            return self.pair.check(name, found, math.inf, tolerance.EXACT)
        judged = [self._held(name, side) for side in self._sides(name)]
        return max(judged, key=lambda check: (not check.ok, check.severity))

    def _sides(self, name: str) -> tuple[int, ...]:
        """The numbers of the sides that can be judged: the reference's only by its own float64."""
        return (1, 0) if self.pair.exact(name) != name else (1,)

    def _held(self, name: str, side: int) -> Check:
        """One side's float32 held against the float64, its limit taken from the other side's."""
        exact = self.pair.exact(name)
        found = self.pair.distance(name, exact, side)
        others = self.pair.distance(name, exact, 1 - side)
        spreads = self._spreads(name, found.scales[0])
        observed, allowed, note = found.rms, tolerance.EXACT, ""
        if not all(0 <= spread < math.inf for spread in spreads):
            observed = math.inf
            note = "what rounding explains is not known: a run of an ensemble is not finite"
        elif self.pair.roles[name].kind not in tolerance.INPUT_KINDS:
            # what is not finite is a fault, and must not excuse the other side's distance
            error = 0.0 if any(others.not_finite) else others.rms
            allowed = tolerance.allowed_float32(found.scales[0], error, spreads)
        scale = found.scale or 1.0
        return self.pair.check(
            name,
            found,
            observed / scale,
            allowed.relative_to(scale),
            kept=rungs.split(exact)[0],
            side=side,
            note=note,
        )

    def _spreads(self, name: str, scale: float) -> Spreads:
        """What each side's ensemble moves a tensor by; for one of few entries, see tolerance."""
        own = self._spread(name)
        role = self.pair.roles[name]
        few = math.prod(self.pair.reference.shape(name)) < tolerance.FEW_ENTRIES
        if not few or role.parameter is None or not all(0 <= moved < math.inf for moved in own):
            return own
        kinds = self._widest_of(role.kind, self.pair.step(role))
        return max(own[0], kinds[0] * scale), max(own[1], kinds[1] * scale)

    def _spread(self, name: str) -> Spreads:
        a, b = (float(record.header.rounding.get(name, 0.0)) for record in self.pair.records)
        return a, b

    def _widest_of(self, kind: str, step: int) -> Spreads:
        """The widest spread, relative to its tensor, among all of a kind up to a step."""
        if (kind, step) not in self._widest:
            widest = [0.0, 0.0]
            for name, role in self.pair.roles.items():
                if role.kind != kind or self.pair.step(role) > step:
                    continue
                if not name.startswith("float32/"):
                    continue
                size = self.pair.distance(name, self.pair.exact(name)).scales[0]
                for side, moved in enumerate(self._spread(name)):
                    if size and math.isfinite(moved):
                        widest[side] = max(widest[side], moved / size)
            self._widest[kind, step] = widest[0], widest[1]
        return self._widest[kind, step]
