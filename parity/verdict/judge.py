"""Which checks a pair of records gets: by dtype, but for null gradients and saturated weights."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping

from parity import rungs
from parity.numerics import tolerance
from parity.numerics.tolerance import Allowed
from parity.verdict import saturation
from parity.verdict.checks import Check
from parity.verdict.float32 import Float32
from parity.verdict.float64 import Float64
from parity.verdict.record_pair import Pair


class Judge:
    """Makes the checks of a pair's numbers.

    Attributes:
        saturated: dtype to the first step past which weights are no longer compared, or None.
    """

    def __init__(
        self, pair: Pair, null: Collection[str], overrides: Mapping[str, Allowed] | None = None
    ) -> None:
        """Judge by the table.

        Args:
            pair: the records.
            null: parameters whose gradient is rounding alone.
            overrides: rows to replace in the float64 table, by rung.
        """
        self.pair, self.null = pair, null
        self.saturated = {dtype: saturation.since(pair, dtype) for dtype in pair.header.dtypes}
        self._float64 = Float64(pair, null, overrides or {})
        self._float32 = Float32(pair)

    def checks(self) -> Iterator[Check]:
        """The checks of all tensors but null gradients."""
        for name in self.pair.comparable():
            _, rung, rest = rungs.split(name)
            if rung != "gradients" or rest not in self.null:
                yield from self.check(name)

    def check(self, name: str) -> Iterator[Check]:
        """The check of a tensor, if its dtype judges it."""
        dtype, _, rest = rungs.split(name)
        past = saturation.covers(self.pair, name, self.saturated[dtype])
        if past or rest.startswith("over_seeds/"):
            _, not_finite = self.pair.sizes(name)
            if any(not_finite):  # which no rounding explains
                found = self.pair.distance(name)
                yield self.pair.check(name, found, math.inf, tolerance.EXACT)
        elif dtype == "float64":
            yield self._float64.check(name)
        elif check := self._float32.check(name):
            yield check
