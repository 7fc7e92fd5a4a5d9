"""Pair: the tensors that two records have in common, and their differences."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from parity import rungs
from parity.ladder import contents
from parity.ladder.record import Record
from parity.numerics.distance import Distance, measure
from parity.numerics.tolerance import Allowed
from parity.rungs import TensorRole
from parity.verdict import checks
from parity.verdict.checks import Check


class Pair:
    """Two records of the same run.

    Attributes:
        sides: names of (the reference, the other).
        both: names of the tensors that both have with the same shape and dtype.
    """

    def __init__(self, reference: Record, other: Record) -> None:
        self.reference, self.other = reference, other
        self.records = (reference, other)
        self.header = reference.header
        self.sides = checks.sides_of(reference, other)
        self.both = {
            name
            for name in set(reference.names) & set(other.names)
            if contents.form_of(reference, name) == contents.form_of(other, name)
        }
        self._distances: dict[tuple[str, str, int], Distance] = {}

    def comparable(self) -> Iterator[str]:
        """Return the names of :attr:`both` in alphabetical order."""
        return iter(sorted(self.both))

    @cached_property
    def roles(self) -> dict[str, TensorRole]:
        """What each tensor of :attr:`both` is."""
        return {name: rungs.role_of(*rungs.split(name)[1:]) for name in self.both}

    def step(self, role: TensorRole) -> int:
        """Return the optimizer step after which a tensor was recorded, by default the last."""
        return role.step or self.header.steps

    def trains(self, parameter: str | None) -> bool:
        """Return whether the reference trains a parameter."""
        return parameter in self.header.trainable

    def exact(self, name: str) -> str:
        """Return the name of a tensor's float64; the tensor itself if there is no matching one."""
        exact = rungs.join("float64", *rungs.split(name)[1:])
        if exact in self.both and self.reference.shape(exact) == self.reference.shape(name):
            return exact
        return name

    def distance(self, name: str, reference: str | None = None, side: int = 1) -> Distance:
        """Return the difference of a side's ``name`` from a tensor of the reference."""
        key = (name, reference or name, side)
        if key not in self._distances:
            keys = dict.fromkeys((key, *self._compared_with(key[1])))
            others = [self.records[side].entries(name) for name, _, side in keys]
            found = measure(self.reference.shape(key[1]), self.reference.entries(key[1]), *others)
            self._distances |= zip(keys, found, strict=True)
        return self._distances[key]

    def _compared_with(self, exact: str) -> Iterator[tuple[str, str, int]]:
        """Yield all tensors that are compared with one of the reference, to read it only once."""
        yield exact, exact, 1
        rounded = rungs.join("float32", *rungs.split(exact)[1:])
        if rounded != exact and rounded in self.both and self.exact(rounded) == exact:
            yield rounded, exact, 0
            yield rounded, exact, 1

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
        """Return the check of one side's tensor, compared with the reference's of dtype ``kept``.

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
            note="; ".join(filter(None, notes)),
            side=self.sides[side],
            reason=allowed.reason,
            override=allowed.override,
        )
