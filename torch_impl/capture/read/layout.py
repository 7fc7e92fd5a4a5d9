"""In which order a tensor's entries lie, against the canonical one: channels last.

A tensor is followed from where its layout is known (a model's input, the output of a convolution)
through what moves its entries about and computes nothing: transpositions, views, flattening.
Nothing is guessed from a shape.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """Axes as they lie, each named by its place in the canonical order, some merged into one.

    Attributes:
        axes: canonical place of each axis before merging; (0, 3, 1, 2) is channels first.
        sizes: theirs.
        merged: how many of them stand in each axis of the tensor; (1, 3) is a flattened map.
    """

    axes: tuple[int, ...]
    sizes: tuple[int, ...]
    merged: tuple[int, ...]

    @staticmethod
    def plain(shape: Sequence[int]) -> Layout:
        """Canonical as it is."""
        return Layout(tuple(range(len(shape))), tuple(shape), (1,) * len(shape))

    @staticmethod
    def channels_first(shape: Sequence[int]) -> Layout:
        """(N, C, …)."""
        rank = len(shape)
        return Layout((0, rank - 1, *range(1, rank - 1)), tuple(shape), (1,) * rank)

    @property
    def places(self) -> list[int]:
        """Positions of the axes, in canonical order.

        Where an axis is merged with others than its neighbours, such as H and C without the W that
        is between them, the merged axes keep their order and only what is in them is sorted.
        """
        ranks = {axis: rank for rank, axis in enumerate(sorted(self.axes))}
        groups, start = [], 0
        for count in self.merged:
            groups.append(sorted(range(start, start + count), key=self.axes.__getitem__))
            start += count
        spans = [[ranks[self.axes[place]] for place in group] for group in groups]
        if all(span == list(range(span[0], span[0] + len(span))) for span in spans if span):
            groups.sort(key=lambda group: [self.axes[place] for place in group])
        return [place for group in groups for place in group]

    @property
    def canonical(self) -> bool:
        """Whether it is the canonical order already."""
        return self.places == list(range(len(self.axes)))

    @property
    def elsewhere(self) -> bool:
        """Whether the last axis is not the one of the channels."""
        return all(one == 1 for one in self.merged) and self.axes[-1] != len(self.axes) - 1

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the tensor."""
        found, start = [], 0
        for count in self.merged:
            found.append(math.prod(self.sizes[start : start + count]))
            start += count
        return tuple(found)

    def to_canonical(self, tensor: Tensor) -> Tensor:
        """The entries in canonical order; axes that were merged stay so."""
        if self.canonical:
            return tensor
        places = self.places
        if len(self.merged) == len(self.axes):
            return tensor.permute(places)
        split = tensor.reshape(self.sizes)
        return split.permute(places).reshape(self._canonical_shape(places))

    def from_canonical(self, tensor: Tensor) -> Tensor:
        """The way back."""
        if self.canonical:
            return tensor
        places = self.places
        back = sorted(range(len(places)), key=places.__getitem__)
        if len(self.merged) == len(self.axes):
            return tensor.permute(back)
        split = tensor.reshape([self.sizes[place] for place in places])
        return split.permute(back).reshape(self.shape)

    def _canonical_shape(self, places: Sequence[int]) -> list[int]:
        """Merged axes take the place of the first of theirs that comes."""
        group = [number for number, count in enumerate(self.merged) for _ in range(count)]
        found: dict[int, int] = {}
        for place in places:
            found[group[place]] = found.get(group[place], 1) * self.sizes[place]
        return list(found.values())

    def as_output(self) -> Layout:
        """The layout in which a user reads a model's output of these axes.

        Channels are read from the second axis, also of a map that is flattened, and steps from the
        first. Entries that the model has rearranged otherwise stay where they are.
        """
        rank = len(self.axes)
        orders = tuple(range(rank)), (0, rank - 1, *range(1, rank - 1)), (1, 0, 2)
        if self.axes in orders:
            return self
        if len(self.merged) == rank > 2 and self.axes[1] == rank - 1:
            return Layout.channels_first(self.sizes)
        return Layout.plain(self.shape)

    def permuted(self, order: Sequence[int]) -> Layout:
        """After ``tensor.permute(order)``."""
        starts = [sum(self.merged[:number]) for number in range(len(self.merged))]
        order = [number % len(self.merged) for number in order]
        taken = [
            place
            for number in order
            for place in range(starts[number], starts[number] + self.merged[number])
        ]
        return Layout(
            tuple(self.axes[place] for place in taken),
            tuple(self.sizes[place] for place in taken),
            tuple(self.merged[number] for number in order),
        )

    def reshaped(self, shape: Sequence[int]) -> Layout | None:
        """After ``tensor.reshape(shape)``, where that merges axes or splits them again.

        None where it cuts across them: such a tensor has no canonical order any more.
        """
        left = list(self.sizes)
        merged = []
        for size in shape:
            count, found = 0, 1
            while found < size and left:
                found *= left.pop(0)
                count += 1
            if found != size:
                return None
            merged.append(count)
        if any(one != 1 for one in left):
            return None
        merged[-1] += len(left)
        return Layout(self.axes, self.sizes, tuple(merged)) if all(merged) else None

    def resized(self, shape: Sequence[int]) -> Layout | None:
        """The same axes of other sizes; None where some are merged."""
        if len(self.merged) != len(self.axes) or len(shape) != len(self.axes):
            return None
        return Layout(self.axes, tuple(shape), self.merged)

    def without(self, dims: Sequence[int]) -> Layout | None:
        """After a reduction that leaves out axes; None where some are merged."""
        if len(self.merged) != len(self.axes):
            return None
        gone = {dim % len(self.axes) for dim in dims}
        kept = [place for place in range(len(self.axes)) if place not in gone]
        order = sorted(self.axes[place] for place in kept)
        axes = tuple(order.index(self.axes[place]) for place in kept)
        return Layout(axes, tuple(self.sizes[place] for place in kept), (1,) * len(kept))

    def stacked(self, dim: int, count: int) -> Layout | None:
        """After ``torch.stack`` of so many along a new axis; None where some are merged."""
        rank = len(self.axes)
        if len(self.merged) != rank:
            return None
        dim %= rank + 1
        place = dim if dim in (0, rank) else 1
        axes = [axis + (axis >= place) for axis in self.axes]
        axes.insert(dim, place)
        sizes = [*self.sizes[:dim], count, *self.sizes[dim:]]
        return Layout(tuple(axes), tuple(sizes), (1,) * (rank + 1))

    def with_last(self, size: int) -> Layout:
        """After a product along the last axis, which has ``size`` entries now."""
        kept = sum(self.merged[:-1])
        ranks = sorted(range(len(self.axes)), key=self.places.__getitem__)
        axes = (*ranks[:kept], min(ranks[kept:]))
        return Layout(axes, (*self.sizes[:kept], size), (*self.merged[:-1], 1))


def of_input(canonical: Tensor, sequences: bool = False) -> Layout:
    """How PyTorch wants a model's input: images and volumes channels first, others as they are.

    Args:
        canonical: the input.
        sequences: whether sequences of vectors are wanted channels first as well.
    """
    if canonical.ndim > 3 or (sequences and canonical.ndim == 3 and canonical.is_floating_point()):
        return Layout.channels_first(tuple(torch.movedim(canonical, -1, 1).shape))
    return Layout.plain(tuple(canonical.shape))
