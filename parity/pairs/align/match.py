"""Matches Keras layers with PyTorch modules: by order of execution, kind, shapes and inputs.

Layers with weights, and outputs, come first. Two match if they are of the same kind, the largest
weight has the same shape and their inputs come from layers that match. Among several candidates the
layers upstream and downstream decide, then the names, the weights, where the outputs are used, the
settings or the outputs, then the order. Layers between them are matched likewise.
"""

from __future__ import annotations

import difflib
from bisect import bisect
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.adapters.calls import Call, Output, Run
from parity.adapters.trainer import Key
from parity.errors import ParityError
from parity.numerics import tolerance
from parity.numerics.distance import relative_error
from parity.pairs.align import config_diff
from parity.pairs.align.call_graph import CallGraph, Feeds
from parity.pairs.align.names import common_letters, stem


@dataclass(frozen=True)
class Stage:
    """Which calls are matched at a time, and what they must have in common.

    Attributes:
        anchors: whether layers with weights and outputs, or those in between.
        exact: whether only those of the same kind, not of a similar one.
        reach: of layers in between, the number of anchors beyond which candidates may not be.
        hasty: whether a layer takes a candidate that shares no input with it, or that continues
            the sequence of another layer.
    """

    anchors: bool
    exact: bool = False
    reach: int = 1
    hasty: bool = True


STAGES = (
    Stage(anchors=True, hasty=False),
    Stage(anchors=True),
    Stage(anchors=False, exact=True),
    Stage(anchors=False),
    Stage(anchors=False, reach=2),
)


@dataclass(frozen=True)
class Alignment:
    """Calls that belong together, in Keras's order of execution, and those without a partner."""

    pairs: tuple[tuple[Call, Call], ...]
    keras_only: tuple[Call, ...]
    torch_only: tuple[Call, ...]

    def of(self, keras: Run, torch: Run) -> Alignment:
        """The same pairs, in other runs of the same models."""
        return Alignment(
            tuple((keras.calls[k.number], torch.calls[t.number]) for k, t in self.pairs),
            tuple(keras.calls[k.number] for k in self.keras_only),
            tuple(torch.calls[t.number] for t in self.torch_only),
        )

    def weights(self) -> list[tuple[Key, Key]]:
        """Weights that both have, by the names of either side, in Keras's order."""
        return list(
            dict.fromkeys(
                ((k.name, name), (t.name, name))
                for k, t in self.pairs
                for name in k.weights
                if name in t.weights and k.weights[name].shape == t.weights[name].shape
            )
        )


def align(
    keras: Sequence[Call], torch: Sequence[Call], layer_map: Mapping[str, str] | None = None
) -> Alignment:
    """Match the calls of both sides.

    Args:
        keras: in the order of execution.
        torch: likewise.
        layer_map: names of Keras layers to names of PyTorch modules that belong together.

    Raises:
        ParityError: ``layer_map`` names a layer or module that does not exist.
    """
    matcher = _Matcher(keras, torch, _by_layer_map(keras, torch, layer_map or {}))
    for stage in STAGES:
        matcher.match(stage)
    return matcher.alignment()


def _by_layer_map(
    keras: Sequence[Call], torch: Sequence[Call], names: Mapping[str, str]
) -> dict[int, int]:
    """Pairs from ``layer_map``; several layers are matched with one module's calls in order."""
    found = {}
    for module in dict.fromkeys(names.values()):
        layers = [layer for layer, one in names.items() if one == module]
        keras_calls = sorted((one for name in layers for one in _called(name, keras)), key=_number)
        torch_calls = _called(module, torch)
        if len(layers) > 1 and len(keras_calls) > len(torch_calls):
            received = " and ".join(f"{name}={module}" for name in layers)
            raise ParityError(f"layer_map: received {received}, accepted: each module once")
        for k, t in zip(keras_calls, torch_calls, strict=False):
            found[k.number] = t.number
    return found


def _number(call: Call) -> int:
    return call.number


def _called(name: str, calls: Sequence[Call]) -> list[Call]:
    found = [call for call in calls if call.name == name]
    if not found:
        names = list(dict.fromkeys(call.name for call in calls))
        close = difflib.get_close_matches(name, names, n=3) or names[:5]
        raise ParityError(f"layer_map: received {name!r}, accepted: {', '.join(close)}")
    return found


class _Matcher:
    """The pairs found so far, and what is fed by which of them."""

    def __init__(
        self, keras: Sequence[Call], torch: Sequence[Call], matched: dict[int, int]
    ) -> None:
        self.keras, self.torch = CallGraph(keras), CallGraph(torch)
        self.matched = matched
        self.taken = set(matched.values())
        self.in_sequence = _sequence(self.keras, self.torch)
        self.continued = {t: k for k, t in self.in_sequence.items()}
        self._feeds: tuple[list[Feeds], list[Feeds]] | None = None

    def alignment(self) -> Alignment:
        keras, torch = self.keras, self.torch
        return Alignment(
            tuple(
                (k, torch.calls[self.matched[k.number]])
                for k in keras.calls
                if k.number in self.matched
            ),
            tuple(
                k
                for k in keras.calls
                if k.number not in self.matched and not keras.passed_over[k.number]
            ),
            tuple(
                t
                for t in torch.calls
                if t.number not in self.taken and not torch.passed_over[t.number]
            ),
        )

    def match(self, stage: Stage) -> None:
        """Match the calls of one stage, in Keras's order."""
        free = self._free(self.torch, self.taken, stage)
        for number in self._free(self.keras, self.matched, stage):
            k = self.keras.calls[number]
            best = self._best(k, [t for t in free if self._may_match(number, t, stage)], stage)
            if best is not None:
                self.matched[number] = best.number
                self.taken.add(best.number)
                free.remove(best.number)
                self._feeds = None

    @staticmethod
    def _free(graph: CallGraph, matched: Collection[int], stage: Stage) -> list[int]:
        """Numbers of the calls that are matched in this stage, and are not yet."""
        return [
            number
            for number, anchor in enumerate(graph.anchors)
            if anchor == stage.anchors and not graph.passed_over[number] and number not in matched
        ]

    def _may_match(self, k: int, t: int, stage: Stage) -> bool:
        """Whether they could be the same layer: kind and the shape of the largest weight.

        For unknown kinds the shapes of all weights.
        """
        keras, torch = self.keras, self.torch
        if stage.exact and keras.layers[k] != torch.layers[t]:
            return False
        shapes = keras.shapes[k]
        if shapes and keras.largest[k] != torch.largest[t]:
            return False
        if keras.calls[k].config is None or torch.calls[t].config is None:
            return bool(shapes) and shapes == torch.shapes[t]
        return keras.families[k] == torch.families[t]

    @property
    def feeds(self) -> tuple[list[Feeds], list[Feeds]]:
        """Of all of Keras's and PyTorch's calls, see :meth:`CallGraph.feeds`."""
        if self._feeds is None:
            self._feeds = self.keras.feeds(self.matched), self.torch.feeds(self.taken)
        return self._feeds

    def _best(self, k: Call, free: list[int], stage: Stage) -> Call | None:
        if not free:
            return None
        sources, actual = self.feeds
        expected = frozenset(
            one if one is None else self.matched.get(one, one) for one in sources[k.number]
        )
        agreements = {one: _agreement(expected, one) for one in {actual[t] for t in free}}
        most = max(agreements.values())
        closest = [t for t in free if agreements[actual[t]] == most]
        if not stage.hasty and (most == 0 or self._continue_others(k, closest)):
            return None
        if not stage.anchors and most < 1.0:
            closest = self._between(k, free, stage.reach)
            if not closest:
                return None
        closest = self._same_if_any(closest, self.torch.layers, self.keras.layers[k.number])
        shape = self.keras.output_shapes[k.number]
        closest = self._same_if_any(closest, self.torch.output_shapes, shape)
        siblings = [t for t in closest if actual[t] == actual[closest[0]]]
        if len(siblings) > 1:
            neighbours, calls = self.keras.neighbours(k), self.torch.calls
            similar = [t for t in siblings if self.torch.neighbours(calls[t]) == neighbours]
            closest, siblings = (similar, similar) if similar else (closest, siblings)
        found = None
        if len(siblings) > 1:
            found = self._of_siblings(k, [self.torch.calls[t] for t in siblings], stage)
        return found or self.torch.calls[closest[0]]

    @staticmethod
    def _same_if_any(numbers: list[int], values: Sequence[Any], value: Any) -> list[int]:
        """Those with this value; all of them where there is none."""
        return [one for one in numbers if values[one] == value] or numbers

    def _continue_others(self, k: Call, candidates: Sequence[int]) -> bool:
        """Whether the sequence of layers gives every candidate, and not this layer, to another."""
        if k.number in self.in_sequence:
            return False
        others = (self.continued.get(t, k.number) for t in candidates)
        return all(one != k.number and one not in self.matched for one in others)

    def _of_siblings(self, k: Call, siblings: Sequence[Call], stage: Stage) -> Call | None:
        """The one of several candidates with the same inputs that something is in favour of."""
        rivals = self._rivals(k, siblings[0], stage)
        found = self._by_name(k, siblings, rivals)
        if found is not None or isinstance(k.config, Output):  # outputs match by position
            return found
        first = _independent(siblings, self.torch)
        others = [one for one in _independent(rivals, self.keras) if one is not k]
        return (
            _equal(k, first, others, _same_weights)
            or self._by_use(k, first, others)
            or _equal(k, first, others, _same_settings)
            or _equal(k, first, others, _same_output)
        )

    def _rivals(self, k: Call, t: Call, stage: Stage) -> list[Call]:
        """Keras's calls with the same inputs that may match the same candidate, itself included."""
        sources = self.feeds[0]
        return [
            self.keras.calls[one]
            for one in self._free(self.keras, self.matched, stage)
            if sources[one] == sources[k.number] and self._may_match(one, t.number, stage)
        ]

    def _by_name(self, k: Call, siblings: Sequence[Call], rivals: Sequence[Call]) -> Call | None:
        """The one that is most like by name, if it is like no other Keras layer as much.

        Names of the same set on both sides, numbers included, belong together.
        """
        last = {self.torch.names[t.number]: t for t in siblings}
        names = {self.keras.names[one.number] for one in rivals}
        if last.keys() == names and len(last) == len(siblings) == len(rivals):
            return last[self.keras.names[k.number]]
        name = stem(k.name)
        likeness = [common_letters(name, stem(t.name)) for t in siblings]
        most = max(likeness)
        if likeness.count(most) > 1:
            return None
        found = siblings[likeness.index(most)]
        name = stem(found.name)
        others = (common_letters(stem(one.name), name) for one in rivals if one is not k)
        return found if all(one < most for one in others) else None

    def _by_use(self, k: Call, siblings: Sequence[Call], rivals: Sequence[Call]) -> Call | None:
        """The one whose output is used in the same places, as no other's is."""
        uses = self.keras.uses
        if not uses[k.number] or any(uses[one.number] == uses[k.number] for one in rivals):
            return None
        found = [t for t in siblings if self.torch.uses[t.number] == uses[k.number]]
        return found[0] if len(found) == 1 else None

    def _between(self, k: Call, free: Sequence[int], reach: int) -> list[int]:
        """Candidates between the same anchors; with a larger reach, also beyond the next anchor."""
        anchors = [number for number in sorted(self.matched) if self.keras.anchors[number]]
        place = bisect(anchors, k.number)
        before, after = anchors[:place], anchors[place:]
        low = self.matched[before[-reach]] if len(before) >= reach else -1
        high = self.matched[after[reach - 1]] if len(after) >= reach else 1 << 60
        return [t for t in free if low < t < high]


def _sequence(keras: CallGraph, torch: CallGraph) -> dict[int, int]:
    """Layers with weights that continue a common sequence of kinds and shapes."""

    def layers(graph: CallGraph) -> list[int]:
        calls = [call for call in graph.calls if call.weights]
        return [call.number for call in calls if not graph.passed_over[call.number]]

    numbers = layers(keras), layers(torch)
    first = [(keras.families[one], keras.largest[one]) for one in numbers[0]]
    second = [(torch.families[one], torch.largest[one]) for one in numbers[1]]
    if first == second:
        return dict(zip(*numbers, strict=True))
    blocks = difflib.SequenceMatcher(None, first, second, autojunk=False).get_matching_blocks()
    return {
        numbers[0][block.a + n]: numbers[1][block.b + n]
        for block in blocks
        for n in range(block.size)
    }


def _agreement(expected: Feeds, actual: Feeds) -> float:
    """Share of the inputs that two calls have in common; a half where one is not known."""
    if None in actual or None in expected:
        return 0.5
    return len(actual & expected) / max(len(actual | expected), 1)


def _independent(some: Sequence[Call], graph: CallGraph) -> list[Call]:
    """Those of some calls that are not downstream of the others."""
    numbers = {one.number for one in some}
    if len(numbers) < 2:
        return list(some)
    sources = graph.feeds(numbers)
    return [one for one in some if not sources[one.number] & numbers]


def _equal(
    k: Call, siblings: Sequence[Call], rivals: Sequence[Call], same: Callable[[Call, Call], bool]
) -> Call | None:
    """The first that is equal in some respect; else the first that is equal to no rival.

    None where that does not decide, as with weights that have not been copied.
    """
    if len(siblings) < 2:
        return None
    found = [t for t in siblings if same(k, t)]
    found = found or [t for t in siblings if not any(same(one, t) for one in rivals)]
    return found[0] if 0 < len(found) < len(siblings) else None


def _same_weights(k: Call, t: Call) -> bool:
    if k.weights.keys() != t.weights.keys():
        return False
    # small ones first: where they differ, the large ones are not read
    names = sorted(k.weights, key=lambda name: (name != "bias", name))
    return all(_same(k.weights[name], t.weights[name]) for name in names)


def _same_settings(k: Call, t: Call) -> bool:
    if k.config is None or type(k.config) is not type(t.config):
        return False
    return not config_diff.fields(k, t, k.inputs)


def _same_output(k: Call, t: Call) -> bool:
    return k.layer == t.layer and _same(k.output, t.output)


def _same(expected: np.ndarray, actual: np.ndarray) -> bool:
    """Up to rounding to float32, in which weights may have been copied."""
    return relative_error(expected, actual) <= tolerance.ROUNDING_MAX
