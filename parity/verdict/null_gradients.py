"""Which gradients are rounding alone: by measurement on each side, then agreed upon by both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from parity import rungs
from parity.constants import DTYPES
from parity.numerics import tolerance
from parity.verdict.record_pair import Pair

if TYPE_CHECKING:  # what they import would double the time that comparing takes to start
    pass


@dataclass(frozen=True)
class NullGradient:
    """A parameter whose true gradient is zero on both sides: reported, its gradient not judged.

    ``largest`` is its gradient's largest entry in float64, for each side: rounding alone.
    """

    parameter: str
    largest: tuple[float, float]


class NullGradients:
    """What the sides' measurements come to."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair

    @cached_property
    def parameters(self) -> dict[str, tuple[float, float]]:
        """Parameters whose gradient is rounding alone on both sides, with its largest entries.

        A side whose rounding cancels to exact zeros does not name the parameter, but agrees.
        """
        a, b = (record.header.null_gradients for record in self.pair.records)
        found = {}
        for parameter in sorted(a.keys() | b.keys()):
            zero = [False, False]
            name = rungs.join("float64", "gradients", parameter)
            if name in self.pair.both:
                scales, not_finite = self.pair.sizes(name)
                for side in range(2):
                    zero[side] = not scales[side] and not not_finite[side]
            if (parameter in a or zero[0]) and (parameter in b or zero[1]):
                found[parameter] = (a.get(parameter, 0.0), b.get(parameter, 0.0))
        return found

    @cached_property
    def _largest_other(self) -> dict[str, float]:
        """Dtype to the largest entry of the gradients that are not null."""
        return {
            dtype: max(
                (
                    max(self.pair.sizes(name)[0])
                    for parameter in self.pair.header.trainable
                    if (name := rungs.join(dtype, "gradients", parameter)) in self.pair.both
                    and parameter not in self.parameters
                ),
                default=0.0,
            )
            for dtype in DTYPES
        }

    def not_borne_out(self, parameter: str) -> list[str]:
        """The gradients of one of :attr:`parameters` that must be judged after all.

        Both dtypes' where the recorded float64 does not bear out what the headers say; float32's
        alone where that one is more than its own rounding.
        """
        gradients = {dtype: rungs.join(dtype, "gradients", parameter) for dtype in DTYPES}
        large = []
        for dtype, share in tolerance.NULL_SHARES.items():
            name, limit = gradients[dtype], share * self._largest_other[dtype]
            if name in self.pair.both:
                scales, not_finite = self.pair.sizes(name)
                if not any(not_finite) and max(scales) <= limit:
                    continue
            large.append(dtype)
        judged = DTYPES if "float64" in large else large
        return [gradients[dtype] for dtype in judged if gradients[dtype] in self.pair.both]

    def borne_out(self) -> Iterator[NullGradient]:
        """Those whose float64 gradient is left out of the verdict."""
        for parameter, entries in self.parameters.items():
            if not any(name.startswith("float64") for name in self.not_borne_out(parameter)):
                yield NullGradient(parameter, entries)

    def notes(self) -> Iterator[str]:
        """Where one side alone calls a gradient null."""
        for side, record in zip(self.pair.sides, self.pair.records, strict=True):
            alone = sorted(record.header.null_gradients.keys() - self.parameters.keys())
            if alone:
                yield (
                    f"null gradient for {side} alone, so judged like any other: {', '.join(alone)}"
                )
