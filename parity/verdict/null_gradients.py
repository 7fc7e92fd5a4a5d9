"""Null gradients of a pair of records: gradients that are only rounding error on both sides."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from parity import rungs
from parity.constants import DTYPES
from parity.numerics import tolerance
from parity.verdict.record_pair import RecordPair

Weight = TypeVar("Weight", bound=Hashable)


@dataclass(frozen=True)
class NullGradient:
    """A parameter whose exact gradient is zero; it is reported, and its gradient is not judged.

    ``largest`` is the largest entry of each side's float64 gradient, a rounding error.
    """

    parameter: str
    largest: tuple[float, float]


class NullGradients:
    """The null gradients of a pair, from the measurements in both headers."""

    def __init__(self, pair: RecordPair) -> None:
        self.pair = pair

    @cached_property
    def parameters(self) -> dict[str, tuple[float, float]]:
        """Parameters whose gradient is only rounding error on both sides, with its largest entries.

        A side whose gradient is exactly zero does not list the parameter, but counts as agreeing.
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
        """Largest entry of all gradients that are not null, by dtype."""
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

    def to_judge(self, parameter: str) -> list[str]:
        """Return the gradients of one of :attr:`parameters` that are too large to be rounding.

        If the recorded float64 is too large, both dtypes are judged; otherwise float32 alone, if
        that is.
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

    def confirmed(self) -> Iterator[NullGradient]:
        """Yield the null gradients whose float64 gradient is not judged."""
        for parameter, entries in self.parameters.items():
            if not any(name.startswith("float64") for name in self.to_judge(parameter)):
                yield NullGradient(parameter, entries)

    def notes(self) -> Iterator[str]:
        """Yield a note for each side with gradients that only this side reports as null."""
        for side, record in zip(self.pair.sides, self.pair.records, strict=True):
            alone = sorted(record.header.null_gradients.keys() - self.parameters.keys())
            if alone:
                yield (
                    f"null gradient for {side} alone, so judged like any other: {', '.join(alone)}"
                )


def negligible(
    keras: Mapping[Weight, float],
    torch: Mapping[Weight, float],
    keys: Sequence[tuple[Weight, Weight]],
) -> set[Weight]:
    """Weights, by their keys in Keras, whose gradient is mere rounding on both sides.

    Args:
        keras: the largest entry of each of Keras's gradients.
        torch: likewise of PyTorch's.
        keys: weights that both have, by their keys in Keras and in PyTorch.
    """
    by_keras_key = {k: torch[t] for k, t in keys if t in torch}
    null = [tolerance.negligible_gradients(side) for side in (keras, by_keras_key)]
    return {key for key, _ in keys if all(key in side for side in null)}
