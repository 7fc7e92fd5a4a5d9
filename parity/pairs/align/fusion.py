"""Calls that are one layer together: both sides then say it alike, however they are written.

Zeros around the input of a convolution are its padding; what is cut off a transposed convolution,
or off a plain one in single steps, is padding that it has not; sums of sums are one sum.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import Any

from parity.adapters.calls import Call, Run
from parity.pairs.align.config_diff import sides
from parity.reference.layers import merging
from parity.reference.layers.windowed.conv import Conv, DepthwiseConv, SeparableConv
from parity.reference.layers.windowed.conv_transpose import ConvTranspose
from parity.reference.layers.windowed.conv_transpose import sides as cut
from parity.reference.layers.windowed.padding import Cropping, UpSampling, ZeroPadding

CONVS = (Conv, DepthwiseConv, SeparableConv)
MERGES = (merging.Add, merging.Multiply, merging.Maximum, merging.Minimum, merging.Concatenate)
"""Layers of which two are one of more inputs."""


def fused(calls: Sequence[Call]) -> list[Call]:
    """The same calls; each that belongs to the one behind it alone is that one's, marked so.

    A padding may belong to several convolutions.
    """
    takers = Counter(source for call in calls for source in call.sources)
    padded = Counter(
        one for call in calls if isinstance(call.config, CONVS) for one in call.sources
    )
    found = list(calls)
    for number in range(len(calls)):
        call = found[number]
        for place, source in reversed(list(enumerate(call.sources))):
            if source is None or source < 0:
                continue
            pads = isinstance(found[source].config, ZeroPadding)
            if takers[source] != (padded[source] if pads else 1):
                continue
            both = _both(found[source], call, place)
            if both is not None:
                found[number] = call = both
                found[source] = dataclasses.replace(found[source], merged_into=number, weights={})
        if isinstance(call.config, merging.Average) and call.config.of == len(call.inputs):
            found[number] = dataclasses.replace(call, config=merging.Average())
    return found


def fused_run(run: Run) -> Run:
    """A run whose calls are so, with its outputs as the last of them."""
    return run.with_outputs(fused(run.calls))


def _both(before: Call, call: Call, place: int) -> Call | None:
    """A call and the one that feeds it as one; None where they are two layers."""
    if isinstance(call.config, (*MERGES, merging.Average)):
        return _merged(before, call, place)
    merged = (*before.merged_calls, *call.merged_calls)
    common: dict[str, Any] = {
        "inputs": before.inputs,
        "sources": before.sources,
        "merged_calls": merged,
    }
    own, other = before.config, call.config
    if isinstance(own, ZeroPadding) and isinstance(other, CONVS):
        within = sides(other, other.padding, call.inputs[0])
        padding = _added(own.padding, within)
        return dataclasses.replace(
            call, config=dataclasses.replace(other, padding=padding), **common
        )
    if isinstance(own, UpSampling) and isinstance(other, UpSampling):
        if {own.interpolation, other.interpolation} != {"nearest"}:
            return None
        size = tuple(a * b for a, b in zip(own.size, other.size, strict=True))
        return dataclasses.replace(call, config=dataclasses.replace(own, size=size), **common)
    padding = _cut(own, other, before)
    if padding is None:
        return None
    config = dataclasses.replace(own, padding=padding)
    common |= {"number": call.number, "output": call.output}
    return dataclasses.replace(before, config=config, **common)


def _cut(own: Any, other: Any, before: Call) -> Any:
    """The padding of a convolution whose output is cropped; None where none does the same."""
    if not isinstance(other, Cropping):
        return None
    if isinstance(own, ConvTranspose):
        return _added(cut(own), other.cropping)
    if not isinstance(own, (Conv, DepthwiseConv)) or any(step != 1 for step in own.strides):
        return None
    around = sides(own, own.padding, before.inputs[0])
    less = tuple((-low, -high) for low, high in other.cropping)
    found = _added(around, less)
    return found if all(one >= 0 for pair in found for one in pair) else None


def _added(own: Any, other: Any) -> tuple[tuple[int, int], ...]:
    return tuple((a + c, b + d) for (a, b), (c, d) in zip(own, other, strict=True))


def _merged(before: Call, call: Call, place: int) -> Call | None:
    """Two merging calls of one kind as one of all inputs; a mean's inputs are summed before."""
    own, other = before.config, call.config
    if isinstance(other, merging.Average):
        count = len(call.inputs) + len(before.inputs) - 1
        if own != merging.Add() or count > other.of:
            return None
    elif own != other:
        return None
    if before.output.shape != call.inputs[place].shape:
        return None

    def put(values: tuple[Any, ...], inner: tuple[Any, ...]) -> tuple[Any, ...]:
        return (*values[:place], *inner, *values[place + 1 :])

    return dataclasses.replace(
        call,
        inputs=put(call.inputs, before.inputs),
        sources=put(call.sources, before.sources),
    )
