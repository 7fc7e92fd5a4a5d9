"""The judge: one check per tensor of a pair, by dtype."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping

from parity import rungs
from parity.numerics import tolerance
from parity.verdict import saturation
from parity.verdict.float32 import Float32
from parity.verdict.float64 import Float64
from parity.verdict.pair import Pair
from parity.verdict.result import Check


class Judge:
    """Compares the observations of two sides: of two records, or of two models in this process."""

    def __init__(
        self,
        pair: Pair,
        float64: Float64 | None = None,
        saturated: Mapping[str, int | None] | None = None,
    ) -> None:
        """Judge a pair.

        Args:
            pair: the tensors of both sides.
            float64: the judge of float64; by default the table's tolerances alone.
            saturated: by dtype, the first step after which weights are not compared, or None.
        """
        self.pair = pair
        self.saturated = saturated or {}
        self._float64 = float64 or Float64(pair)
        self._float32 = Float32(pair)

    def checks(self, names: Iterator[str], null: Collection[str]) -> Iterator[Check]:
        """Yield the checks of tensors, except null gradients.

        Args:
            names: of the tensors.
            null: parameters whose gradient is only rounding error.
        """
        for name in names:
            _, rung, rest = rungs.split(name)
            if rung != "gradients" or rest not in null:
                yield from self.check(name)

    def check(self, name: str) -> Iterator[Check]:
        """Yield the check of a tensor, if it has one."""
        dtype, _, rest = rungs.split(name)
        past = saturation.covers(self.pair, name, self.saturated.get(dtype))
        if past or rest.startswith("over_seeds/"):
            _, not_finite = self.pair.sizes(name)
            if any(not_finite):  # rounding cannot cause this
                found = self.pair.distance(name)
                yield self.pair.check(name, found, math.inf, tolerance.EXACT)
        elif dtype == "float64":
            yield self._float64.check(name)
        elif check := self._float32.check(name):
            yield check
