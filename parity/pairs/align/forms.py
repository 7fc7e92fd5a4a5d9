"""The form in which a PyTorch weight holds a Keras weight: another shape, or other axes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Shape = tuple[int, ...]


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


def forms(keras: Shape, torch: Shape, native: bool) -> Iterator[Form]:
    """Forms in which a PyTorch weight of one shape may be a Keras weight of another.

    Args:
        keras: shape of the Keras weight.
        torch: shape of the PyTorch weight.
        native: whether the PyTorch weight is as its owner's code has it; a known layer's is in
            Keras's layout already.
    """
    if _same_axes(keras, torch):
        yield Form(keras, torch)
    if not native or len(torch) < 2:
        return
    rank = len(torch)
    orders = {(1, 0)} if rank == 2 else {(*range(2, rank), 1, 0), (*range(2, rank), 0, 1)}
    for order in sorted(orders):
        if _same_axes(keras, tuple(torch[axis] for axis in order)):
            yield Form(keras, torch, order)


def packed(keras: Shape, torch: Shape, count: int, native: bool) -> list[list[Form]]:
    """Ways to pack several Keras weights of one shape in one PyTorch weight."""
    found = []
    heads = keras[-2] if len(keras) > 1 else 1
    for axis in range(len(torch)):
        for outer in dict.fromkeys((1, heads)):
            if torch[axis] % (count * outer):
                continue
            part = (*torch[:axis], torch[axis] // count, *torch[axis + 1 :])
            found += [
                [
                    Form(keras, torch, form.order, axis, place, count, outer)
                    for place in range(count)
                ]
                for form in forms(keras, part, native)
            ]
    return found


def _same_axes(first: Shape, second: Shape) -> bool:
    """Whether both are the same but for axes of length 1, and axes that one of them merges."""
    left, right = ([size for size in one if size != 1] for one in (first, second))
    while left and right:
        a, b = left.pop(0), right.pop(0)
        some, whole = (left, max(a, b)) if a < b else (right, max(a, b))
        found = min(a, b)
        while found < whole and some:
            found *= some.pop(0)
        if found != whole:
            return False
    return not left and not right
