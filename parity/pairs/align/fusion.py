"""Merges consecutive calls that are one layer, so that both sides' calls can be compared.

Zeros around the input of a convolution become its padding. Cropping after a transposed convolution,
or after a convolution with stride 1, reduces the padding. A sum of sums becomes one sum.
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
from parity.reference.layers.windowed.conv_transpose import sides as transposed_sides
from parity.reference.layers.windowed.padding import Cropping, UpSampling, ZeroPadding

CONVS = (Conv, DepthwiseConv, SeparableConv)
MERGES = (merging.Add, merging.Multiply, merging.Maximum, merging.Minimum, merging.Concatenate)
"""Layers of which two in a row are one with more inputs."""


def fused(calls: Sequence[Call]) -> list[Call]:
    """Merge calls with the call that they feed, if they feed no other; they stay, marked as merged.

    A padding may be merged into several convolutions.
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
    """A run with merged calls, and with the outputs as the last of them."""
    return run.with_outputs(fused(run.calls))


def _both(before: Call, call: Call, place: int) -> Call | None:
    """A call merged with the one that feeds it; None where they are two layers."""
    if isinstance(call.config, (*MERGES, merging.Average)):
        return _merged(before, call, place)
    common: dict[str, Any] = {
        "inputs": before.inputs,
        "sources": before.sources,
        "merged_calls": (*before.merged_calls, *call.merged_calls),
    }
    first, second = before.config, call.config
    if isinstance(first, ZeroPadding) and isinstance(second, CONVS):
        within = sides(second, second.padding, call.inputs[0])
        config = dataclasses.replace(second, padding=_added(first.padding, within))
        return dataclasses.replace(call, config=config, **common)
    if isinstance(first, UpSampling) and isinstance(second, UpSampling):
        if {first.interpolation, second.interpolation} != {"nearest"}:
            return None
        size = tuple(a * b for a, b in zip(first.size, second.size, strict=True))
        return dataclasses.replace(call, config=dataclasses.replace(first, size=size), **common)
    padding = _cropped(first, second, before)
    if padding is None:
        return None
    config = dataclasses.replace(first, padding=padding)
    common |= {"number": call.number, "output": call.output}
    return dataclasses.replace(before, config=config, **common)


def _cropped(conv: Any, cropping: Any, before: Call) -> Any:
    """The padding of a convolution whose output is cropped; None where no padding is equivalent."""
    if not isinstance(cropping, Cropping):
        return None
    if isinstance(conv, ConvTranspose):
        return _added(transposed_sides(conv), cropping.cropping)
    if not isinstance(conv, (Conv, DepthwiseConv)) or any(step != 1 for step in conv.strides):
        return None
    around = sides(conv, conv.padding, before.inputs[0])
    less = tuple((-low, -high) for low, high in cropping.cropping)
    found = _added(around, less)
    return found if all(one >= 0 for pair in found for one in pair) else None


def _added(first: Any, second: Any) -> tuple[tuple[int, int], ...]:
    return tuple((a + c, b + d) for (a, b), (c, d) in zip(first, second, strict=True))


def _merged(before: Call, call: Call, place: int) -> Call | None:
    """Two merging calls of one kind as one with all inputs; a mean may be preceded by sums."""
    first, second = before.config, call.config
    if isinstance(second, merging.Average):
        count = len(call.inputs) + len(before.inputs) - 1
        if first != merging.Add() or count > second.of:
            return None
    elif first != second:
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
