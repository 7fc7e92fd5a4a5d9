"""Pair: the tensors that two sides have in common, and what is known about their differences."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping

from parity import rungs
from parity.numerics.distance import Distance
from parity.numerics.tolerance import Allowed
from parity.rungs import TensorRole
from parity.verdict.result import Check


class Pair(ABC):
    """The observations of two sides, by the names of :mod:`parity.rungs`: what a judge needs.

    Attributes:
        sides: names of (the reference, the other).
        both: names of the tensors that both have with the same shape and dtype.
        roles: what each of them is.
        steps: number of optimizer steps.
    """

    sides: tuple[str, str]
    steps: int

    @property
    @abstractmethod
    def both(self) -> Collection[str]:
        """Names of the tensors that both sides have with the same shape and dtype."""

    @property
    @abstractmethod
    def roles(self) -> Mapping[str, TensorRole]:
        """What each tensor of :attr:`both` is."""

    @abstractmethod
    def distance(self, name: str, reference: str | None = None, side: int = 1) -> Distance:
        """The difference of a side's ``name`` from a tensor of the reference, by default its own.

        Args:
            name: of a tensor of :attr:`both`.
            reference: name of the reference's tensor.
            side: 0: the reference, 1: the other.
        """

    @abstractmethod
    def rounding(self, name: str) -> tuple[float, float]:
        """The measured effect of rounding on (the reference, the other), in the tensor's unit.

        It is the root mean square in float32 and the largest difference in float64; 0 where it was
        not measured.
        """

    @abstractmethod
    def entries(self, name: str) -> int:
        """Number of entries of a tensor."""

    def step(self, role: TensorRole) -> int:
        """The optimizer step after which a tensor was recorded, by default the last."""
        return role.step or self.steps

    def exact(self, name: str) -> str:
        """The name of a tensor's float64; the tensor itself if there is no matching one."""
        exact = rungs.join("float64", *rungs.split(name)[1:])
        return exact if exact in self.both and self.entries(exact) == self.entries(name) else name

    def sizes(self, name: str) -> tuple[tuple[float, float], tuple[int, int]]:
        """Return ``scales`` and ``not_finite`` of both sides' tensor, as in :class:`Distance`.

        They come from the comparisons with float64, so that no other comparison is needed.
        """
        exact = self.exact(name)
        if exact == name:
            found = self.distance(name)
            return found.scales, found.not_finite
        a, b = (self.distance(name, exact, side) for side in (0, 1))
        return (a.scales[1], b.scales[1]), (a.not_finite[1], b.not_finite[1])

    def check(
        self,
        name: str,
        found: Distance,
        observed: float,
        allowed: Allowed,
        *,
        kept: str | None = None,
        side: int = 1,
        note: str = "",
    ) -> Check:
        """The check of one side's tensor, compared with the reference's of dtype ``kept``.

        Args:
            name: the tensor.
            found: its difference.
            observed: the difference to judge.
            allowed: the tolerance.
            kept: dtype of the reference's tensor; by default that of ``name``.
            side: the judged side.
            note: for the report.
        """
        dtype, rung, rest = rungs.split(name)
        kept = kept or dtype
        notes = [note]
        if any(found.not_finite):
            x, y = found.not_finite
            a, b = self.sides[0], self.sides[side]
            notes.insert(0, f"not finite: {x} entries of {a} {kept}, {y} of {b} {dtype}")
        return Check(
            dtype,
            rung,
            rest,
            observed,
            allowed.limit,
            found.index,
            found.values,
            kept,
            self.sides[side],
            allowed.reason,
            allowed.override,
            notes=tuple(filter(None, notes)),
        )
