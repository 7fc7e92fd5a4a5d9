"""RecordPair: the tensors that two records have in common, and their differences."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from functools import cached_property

from parity import rungs
from parity.ladder import contents
from parity.ladder.record import Record
from parity.numerics.distance import Distance, measure
from parity.rungs import TensorRole
from parity.verdict import checks
from parity.verdict.pair import Pair


class RecordPair(Pair):
    """Two records of the same run."""

    def __init__(self, reference: Record, other: Record) -> None:
        self.reference, self.other = reference, other
        self.records = (reference, other)
        self.header = reference.header
        self.steps = self.header.steps
        self.sides = checks.sides_of(reference, other)
        self._distances: dict[tuple[str, str, int], Distance] = {}

    @cached_property
    def both(self) -> Collection[str]:
        """See :attr:`Pair.both`."""
        return {
            name
            for name in {*self.reference.names} & {*self.other.names}
            if contents.form_of(self.reference, name) == contents.form_of(self.other, name)
        }

    @cached_property
    def roles(self) -> dict[str, TensorRole]:
        """See :attr:`Pair.roles`."""
        return {name: rungs.role_of(*rungs.split(name)[1:]) for name in self.both}

    def comparable(self) -> Iterator[str]:
        """Return the names of :attr:`both` in alphabetical order."""
        return iter(sorted(self.both))

    def exact(self, name: str) -> str:
        """See :meth:`Pair.exact`."""
        exact = super().exact(name)
        return exact if self.reference.shape(exact) == self.reference.shape(name) else name

    def trains(self, parameter: str | None) -> bool:
        """Return whether the reference trains a parameter."""
        return parameter in self.header.trainable

    def entries(self, name: str) -> int:
        """See :meth:`Pair.entries`."""
        return math.prod(self.reference.shape(name))

    def rounding(self, name: str) -> tuple[float, float]:
        """See :meth:`Pair.rounding`; from both headers."""
        a, b = (float(record.header.rounding.get(name, 0.0)) for record in self.records)
        return a, b

    def distance(self, name: str, reference: str | None = None, side: int = 1) -> Distance:
        """See :meth:`Pair.distance`."""
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
