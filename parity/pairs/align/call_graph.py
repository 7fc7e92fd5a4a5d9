"""The calls of one model as a graph, with what matching needs to know of each, read once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from functools import cached_property
from typing import Any

from parity.adapters.calls import Call, Output, leading
from parity.pairs.align.names import last_part
from parity.reference.layers import merging
from parity.reference.layers.activations import Activation
from parity.reference.layers.kinds import family_of

MOVES = {"Flatten", "Reshape", "Permute"}
"""Layers that only rearrange entries: followed, not matched."""

Feeds = frozenset[int | None]
"""Calls that a call's inputs come from; model inputs are negative, None is unknown."""

Shape = tuple[int, ...]


class CallGraph:
    """Calls in the order of execution; whatever they are fed by comes before them."""

    def __init__(self, calls: Sequence[Call]) -> None:
        self.calls = calls
        self.takers: list[list[int]] = [[] for _ in calls]
        for call in calls:
            for source in {*call.sources}:
                if source is not None and source >= 0:
                    self.takers[source].append(call.number)
        self.passed_over = [passed_over(call) for call in calls]
        self.families = [
            "" if over else family_of(call.config, call.layer)
            for call, over in zip(calls, self.passed_over, strict=True)
        ]
        self.shapes = [sorted(one.shape for one in call.weights.values()) for call in calls]
        self.largest: list[Shape] = [
            max(shapes, key=lambda shape: (len(shape), shape), default=()) for shapes in self.shapes
        ]
        self.anchors = [call.anchor for call in calls]
        self.layers = [call.layer for call in calls]
        self.output_shapes = [call.output.shape for call in calls]
        self.names = [last_part(call.name) for call in calls]
        self._neighbours: dict[int, tuple[Any, Any]] = {}

    def feeds(self, matched: Collection[int]) -> list[Feeds]:
        """For each call the nearest matched calls, or model inputs, that its inputs come from."""
        found: list[Feeds] = []
        direct: dict[int | None, Feeds] = {}
        for call in self.calls:
            parts = []
            for source in call.sources:
                if source is None or source < 0 or source in matched:
                    parts.append(direct.setdefault(source, frozenset((source,))))
                else:
                    parts.append(found[source])
            found.append(parts[0] if len(parts) == 1 else frozenset().union(*parts))
        return found

    def neighbours(self, call: Call) -> tuple[Any, Any]:
        """Families of the calls upstream and downstream, up to the next layers with weights.

        Of those downstream with weights, the shape of the largest weight as well.
        """
        found = self._neighbours.get(call.number)
        if found is None:
            upstream = Counter(self.families[one] for one in leading(call.sources, self.calls))
            downstream: Counter[Any] = Counter()
            ahead, seen = [call.number], {call.number}
            while ahead:
                for one in self.takers[ahead.pop()]:
                    if one in seen:
                        continue
                    seen.add(one)
                    if self.shapes[one]:
                        downstream[self.families[one], self.largest[one]] += 1
                    if not self.anchors[one]:
                        downstream[self.families[one]] += 1
                        ahead.append(one)
            for kinds in (upstream, downstream):
                kinds.pop("", None)
            found = frozenset(upstream.items()), frozenset(downstream.items())
            self._neighbours[call.number] = found
        return found

    @cached_property
    def uses(self) -> list[frozenset[tuple[Any, ...]]]:
        """For each call the places that its output takes downstream, as far as places matter.

        Each is a path of (family, place) through layers without weights, up to a layer with several
        inputs and with weights, or an output of the model.
        """
        found: list[frozenset[tuple[Any, ...]]] = [frozenset()] * len(self.calls)
        outputs = [call.number for call in self.calls if isinstance(call.config, Output)]
        for call in reversed(self.calls):
            paths: set[tuple[Any, ...]] = set()
            for number in self.takers[call.number]:
                taker = self.calls[number]
                if number in outputs:
                    paths.add((("output", outputs.index(number)),))
                    continue
                step: tuple[Any, ...] = ()
                if len(taker.inputs) > 1 and not isinstance(taker.config, COMMUTATIVE):
                    place = taker.sources.index(call.number)
                    step = ((self.families[number], place),)
                if self.anchors[number]:
                    paths |= {step} if step else set()
                else:
                    paths |= {(*step, *path) for path in found[number] or [()]}
            found[call.number] = frozenset(path for path in paths if path)
        return found


COMMUTATIVE = (merging.Add, merging.Multiply, merging.Average, merging.Maximum, merging.Minimum)
"""Layers whose inputs have no order."""


def passed_over(call: Call) -> bool:
    """Whether it is followed, but not matched."""
    nothing = call.config == Activation(activation="linear")
    return call.layer in MOVES or call.merged_into is not None or nothing


def feeds(call: Call, calls: Sequence[Call], matched: Collection[int]) -> Feeds:
    """The nearest matched calls, or model inputs (negative), that a call's inputs come from."""
    found: set[int | None] = set()
    seen: set[int] = set()  # branches that join would double the paths at every join
    ahead = list(call.sources)
    while ahead:
        source = ahead.pop()
        if source is None or source < 0 or source in matched:
            found.add(source)
        elif source not in seen:
            seen.add(source)
            ahead += calls[source].sources
    return frozenset(found)
