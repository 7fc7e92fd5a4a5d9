"""A Keras weight and the PyTorch weight that holds it, in whatever form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Shape = tuple[int, ...]
Key = tuple[str, str]


@dataclass(frozen=True)
class Form:
    """How entries of a PyTorch weight become a Keras weight; for arrays and tensors alike.

    Attributes:
        keras: shape of the Keras weight.
        torch: shape of the PyTorch weight.
        order: axes of PyTorch's (part) that Keras's order takes one after the other.
        axis: of PyTorch's, along which several Keras weights are packed.
        place: of this one among them.
        count: how many are packed; 1: none.
        outer: how many times they alternate along the axis: once, or for each attention head.
    """

    keras: Shape
    torch: Shape
    order: tuple[int, ...] = ()
    axis: int = -1
    place: int = 0
    count: int = 1
    outer: int = 1

    def to_keras(self, value: Any) -> Any:
        """PyTorch's weight, or its gradient, as Keras's."""
        part = self._split(value)[self._index] if self.count > 1 else value
        part = part.reshape(self._part)
        return _permuted(part, self.order).reshape(self.keras)

    def to_torch(self, value: Any, whole: Any) -> Any:
        """Keras's weight as PyTorch's; ``whole`` is PyTorch's, of which it may be a part."""
        order = self.order or tuple(range(len(self._part)))
        back = sorted(range(len(order)), key=order.__getitem__)
        part = _permuted(value.reshape(tuple(self._part[axis] for axis in order)), back)
        if self.count == 1:
            return part
        found = whole.clone() if hasattr(whole, "clone") else whole.copy()
        split = self._split(found)
        split[self._index] = part.reshape(split[self._index].shape)
        return split.reshape(self.torch)

    @property
    def _along(self) -> int:
        return self.axis % max(len(self.torch), 1)

    @property
    def _part(self) -> Shape:
        """Shape of the part of PyTorch's weight."""
        if self.count == 1:
            return self.torch
        part = self.torch[self._along] // self.count
        return (*self.torch[: self._along], part, *self.torch[self._along + 1 :])

    @property
    def _index(self) -> tuple[Any, ...]:
        return (*(slice(None),) * (self._along + 1), self.place)

    def _split(self, value: Any) -> Any:
        """The packed axis as three: how many times, which, and the entries of each."""
        before, size = self.torch[: self._along], self.torch[self._along]
        inner = size // (self.count * self.outer)
        shape = (*before, self.outer, self.count, inner, *self.torch[self._along + 1 :])
        return value.reshape(shape)


def _permuted(value: Any, order: Sequence[int]) -> Any:
    if not order:
        return value
    return value.permute(*order) if hasattr(value, "permute") else value.transpose(*order)


@dataclass(frozen=True)
class Transfer:
    """A Keras weight and the PyTorch weight that holds it.

    Attributes:
        keras: see :data:`parity.adapters.trainer.Key`.
        torch: likewise.
        form: how the one holds the other.
    """

    keras: Key
    torch: Key
    form: Form

    @property
    def part(self) -> Key:
        """Key of the part of PyTorch's weight; its own where it holds nothing else."""
        if self.form.count == 1:
            return self.torch
        return self.torch[0], f"{self.torch[1]}[{self.form.place}]"
