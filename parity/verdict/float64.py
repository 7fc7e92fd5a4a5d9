"""The judge of float64, which decides the verdict: tolerances of the table, and exceptions."""

from __future__ import annotations

from collections.abc import Mapping

from parity import rungs
from parity.numerics import tolerance
from parity.numerics.distance import Distance
from parity.numerics.tolerance import Allowed
from parity.verdict.pair import Pair
from parity.verdict.result import Check


class Float64:
    """Judges tensors of a pair by the largest difference relative to the largest entry."""

    def __init__(self, pair: Pair, overrides: Mapping[str, Allowed] | None = None) -> None:
        """Use the table of tolerances.

        Args:
            pair: the tensors of both sides.
            overrides: tolerances that replace the table's, by rung.
        """
        self.pair: Pair = pair
        self.overrides = overrides or {}

    def check(self, name: str) -> Check:
        """Return the check of a tensor."""
        found = self.pair.distance(name)
        return self.pair.check(name, found, found.relative, self.allowed(name, found))

    def allowed(self, name: str, found: Distance, in_full: bool = False) -> Allowed:
        """Return the tolerance of a tensor with this difference.

        Args:
            name: the tensor.
            found: its difference.
            in_full: whether to look for what is slow to find, even where the table's tolerance
                decides.
        """
        dtype, rung, _ = rungs.split(name)
        role, scale = self.pair.roles[name], found.scale or 1.0
        if (rung, role.owner) == (rungs.TRAINING, "epochs"):
            return tolerance.COUNTED
        if dtype == "float64" and rung in self.overrides and role.kind not in tolerance.INPUT_KINDS:
            return self.overrides[rung]
        step = self.pair.step(role) if rung in ("steps", "predictions") else 1
        row = tolerance.allowed_float64(role.kind, rung, step)
        decided = found.relative <= row.limit and not in_full
        if decided or role.kind in tolerance.INPUT_KINDS:
            return row
        # the smaller, so that one side's ensemble does not widen the other's tolerance
        moved = 0.0
        if tolerance.rounding_counts(rung, step):
            moved = min(self.pair.rounding(name))
        amplified = 0.0
        if role.kind == "weight":
            amplified = self.amplified(role.parameter, rung, step, scale)
        return tolerance.allowed_float64(role.kind, rung, step, moved / scale, amplified / scale)

    def amplified(self, parameter: str | None, rung: str, step: int, scale: float) -> float:
        """Return the effect of an allowed difference of gradients on a weight after one step.

        Args:
            parameter: the weight.
            rung: its rung.
            step: number of the step after which it was recorded.
            scale: its largest entry.
        """
        return 0.0
