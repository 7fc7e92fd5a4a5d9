"""Zeros around an input belong to the convolution that takes it: both sides then say it alike."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

from parity.layers.conv import Conv, DepthwiseConv, SeparableConv
from parity.layers.padding import ZeroPadding
from parity.pairs.calls import Call


def fused(calls: Sequence[Call]) -> list[Call]:
    """The same calls; a padding that one convolution alone takes is that one's, and marked so."""
    takers = Counter(source for call in calls for source in call.sources)
    found = list(calls)
    for call in calls:
        source = call.sources[0] if call.sources else None
        if source is None or source < 0 or takers[source] != 1:
            continue
        before = found[source]
        around = _around(call)
        if isinstance(before.config, ZeroPadding) and around is not None:
            sides = tuple(
                (a + c, b + d) for (a, b), (c, d) in zip(before.config.padding, around, strict=True)
            )
            found[call.number] = dataclasses.replace(
                call,
                config=dataclasses.replace(call.config, padding=sides),
                inputs=before.inputs,
                sources=before.sources,
                parts=(*before.parts, *call.parts),
            )
            found[source] = dataclasses.replace(before, absorbed=True)
    return found


def _around(call: Call) -> tuple[tuple[int, int], ...] | None:
    """What a convolution in two dimensions pads itself, where that does not hang on the input."""
    if not isinstance(call.config, (Conv, DepthwiseConv, SeparableConv)):
        return None
    if len(call.config.kernel_size) != 2 or call.config.padding in ("same", "causal"):
        return None
    padding = call.config.padding
    return ((0, 0), (0, 0)) if isinstance(padding, str) else padding
