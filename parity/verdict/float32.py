"""The judge of float32: comparison with float64, with a tolerance from measured rounding."""

from __future__ import annotations

import math

from parity import rungs
from parity.numerics import tolerance
from parity.verdict.pair import Pair
from parity.verdict.result import Check

Spreads = tuple[float, float]
"""Measured effect of rounding on a tensor, for (the reference, the other)."""


class Float32:
    """Judges tensors by the RMS difference of each side's float32 from the reference's float64."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self._widest: dict[tuple[str, int], Spreads] = {}

    def check(self, name: str) -> Check | None:
        """Return the check of the side that is nearer to its tolerance; None if there is none.

        The tolerance of one side follows from the other side's difference and from both ensembles'
        spread; inputs must be equal. Labels and accuracy depend on near ties, so float32 only
        requires them to be finite.
        """
        if rungs.split(name)[2] in ("labels", "accuracy"):
            found = self.pair.distance(name)
            if not any(found.not_finite):
                return None
            return self.pair.check(name, found, math.inf, tolerance.EXACT)
        judged = [self._side_check(name, side) for side in self._sides(name)]
        return max(judged, key=lambda check: (not check.ok, check.severity))

    def _sides(self, name: str) -> tuple[int, ...]:
        """Return the sides to judge; the reference only if it has a float64 tensor."""
        return (1, 0) if self.pair.exact(name) != name else (1,)

    def _side_check(self, name: str, side: int) -> Check:
        """Return the check of one side's float32 against the reference's float64."""
        exact = self.pair.exact(name)
        found = self.pair.distance(name, exact, side)
        others = self.pair.distance(name, exact, 1 - side)
        spreads = self._spreads(name, found.scales[0])
        observed, allowed, note = found.rms, tolerance.EXACT, ""
        if not all(0 <= spread < math.inf for spread in spreads):
            observed = math.inf
            note = "what rounding explains is not known: a run of an ensemble is not finite"
        elif self.pair.roles[name].kind not in tolerance.INPUT_KINDS:
            # an error that is not finite is a fault, and must not widen the other side's tolerance
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
        """Return the spread of each side's ensemble, for few entries the widest of their kind."""
        own = self.pair.rounding(name)
        role = self.pair.roles[name]
        few = self.pair.entries(name) < tolerance.FEW_ENTRIES
        if not few or role.parameter is None or not all(0 <= moved < math.inf for moved in own):
            return own
        kinds = self._widest_of(role.kind, self.pair.step(role))
        return max(own[0], kinds[0] * scale), max(own[1], kinds[1] * scale)

    def _widest_of(self, kind: str, step: int) -> Spreads:
        """Return the widest relative spread of all tensors of a kind up to a step."""
        if (kind, step) not in self._widest:
            widest = [0.0, 0.0]
            for name, role in self.pair.roles.items():
                if role.kind != kind or self.pair.step(role) > step:
                    continue
                if not name.startswith("float32/"):
                    continue
                size = self.pair.distance(name, self.pair.exact(name)).scales[0]
                for side, moved in enumerate(self.pair.rounding(name)):
                    if size and math.isfinite(moved):
                        widest[side] = max(widest[side], moved / size)
            self._widest[kind, step] = widest[0], widest[1]
        return self._widest[kind, step]
