"""The judge of two records: one check per tensor, by dtype."""

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
    """Creates the checks of a pair of records.

    Attributes:
        saturated: by dtype, the first step after which weights are not compared, or None.
    """

    def __init__(
        self, pair: Pair, null: Collection[str], overrides: Mapping[str, Allowed] | None = None
    ) -> None:
        """Use the table of tolerances.

        Args:
            pair: the records.
            null: parameters whose gradient is only rounding error.
            overrides: tolerances that replace the float64 table's, by rung.
        """
        self.pair, self.null = pair, null
        self.saturated = {dtype: saturation.since(pair, dtype) for dtype in pair.header.dtypes}
        self._float64 = Float64(pair, null, overrides or {})
        self._float32 = Float32(pair)

    def checks(self) -> Iterator[Check]:
        """Yield the checks of all tensors except null gradients."""
        for name in self.pair.comparable():
            _, rung, rest = rungs.split(name)
            if rung != "gradients" or rest not in self.null:
                yield from self.check(name)

    def check(self, name: str) -> Iterator[Check]:
        """Yield the check of a tensor, if it has one."""
        dtype, _, rest = rungs.split(name)
        past = saturation.covers(self.pair, name, self.saturated[dtype])
        if past or rest.startswith("over_seeds/"):
            _, not_finite = self.pair.sizes(name)
            if any(not_finite):  # rounding cannot cause this
                found = self.pair.distance(name)
                yield self.pair.check(name, found, math.inf, tolerance.EXACT)
        elif dtype == "float64":
            yield self._float64.check(name)
        elif check := self._float32.check(name):
            yield check
