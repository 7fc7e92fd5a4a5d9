"""Which layers differ without harm: substituting one adds a difference, or changes nothing.

A port may divide the work otherwise: a sum of both directions behind a recurrent layer, the factor
of an embedding, ``x * sigmoid(x)``. A layer is then unlike its partner, and what follows equal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from parity.adapters.calls import Call, Output, Run
from parity.numerics.distance import relative_error
from parity.pairs.align.call_graph import CallGraph
from parity.pairs.align.tensors import as_keras, as_torch, input_difference
from parity.pairs.forward.setup import Pair

Match = tuple[Call, Call]

MOST = 12
"""Layers that are tried one by one, in another run each; of more than that none is harmless."""

TOGETHER = 5
"""Layers of which every set is tried."""

WORSE = 1e3
"""Growth of a difference that no correction brings about."""


@dataclass(frozen=True)
class Harmless:
    """Numbers of Keras calls whose difference does no harm.

    Attributes:
        compensated: the difference is made up for before the next layer; a substitute adds one.
        without_effect: on the inputs of the next layers.
    """

    compensated: frozenset[int] = frozenset()
    without_effect: frozenset[int] = frozenset()


class Substitution:
    """Runs PyTorch's model with the outputs of some Keras layers, and measures the others' inputs.

    The inputs are those of layers with weights and of the model's outputs (anchors).
    """

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.anchors = [one for one in pair.alignment.pairs if one[0].anchor]
        self._differences: dict[frozenset[int], dict[int, float]] = {}

    def run(self, matches: Iterable[Match]) -> Run:
        """PyTorch's run where these pairs hand on the Keras layer's output."""
        values = {t.number: as_torch(k.output, t.output, k) for k, t in matches}
        return self.pair.run_torch(
            {number: value for number, value in values.items() if value is not None}
        )

    def differences(self, matches: Collection[Match]) -> Mapping[int, float]:
        """The differences of the anchors' inputs in such a run, by the number of the Keras call."""
        key = frozenset(k.number for k, _ in matches)
        if key not in self._differences:
            run = self.run(matches)
            self._differences[key] = self.of(run)
            run.forget()
        return self._differences[key]

    def of(self, run: Run) -> dict[int, float]:
        """The differences of the anchors' inputs in a run."""
        return {k.number: input_difference(k, run.calls[t.number]) for k, t in self.anchors}

    def unequal(self, matches: Collection[Match]) -> set[int]:
        """The anchors whose inputs differ in such a run."""
        found, calls = self.differences(matches), self.pair.keras_run.calls
        return {number for number, one in found.items() if not one <= calls[number].allowed}


def anchors(substitution: Substitution, fed: Run) -> Harmless:
    """Layers with weights that differ by themselves, without harm.

    Args:
        substitution: of the pair.
        fed: the run where every anchor hands on Keras's output.
    """
    differing = [
        (k, t)
        for k, t in substitution.anchors
        if not isinstance(k.config, Output) and _differs_by_itself(k, fed.calls[t.number])
    ]
    if not differing:
        return Harmless()
    every = substitution.anchors
    graph = CallGraph(substitution.pair.keras_run.calls)
    sources = graph.feeds({k.number for k, _ in every})
    substituted = {
        number
        for number, one in substitution.of(fed).items()
        if not one <= graph.calls[number].allowed
    }
    compensated: set[int] = set()
    without_effect: set[int] = set()
    together = substitution.unequal(_without(every, differing))
    for match in differing:
        k, t = match
        takers = {one.number for one, _ in every if k.number in sources[one.number]}
        if as_torch(k.output, t.output, k) is None:
            own = substituted
        elif not takers & together:
            own = together
        elif 1 < len(differing) <= MOST:
            own = substitution.unequal(_without(every, [match]))
        else:
            own = together
        if not takers or takers & own:
            continue
        unlike = own is substituted or takers & substituted
        (compensated if unlike else without_effect).add(k.number)
    return Harmless(frozenset(compensated), frozenset(without_effect))


def in_between(
    substitution: Substitution, anchors: Sequence[Match], light: Sequence[Match], fed: Run
) -> set[int]:
    """Layers without weights whose substitutes do harm or nothing, by the number of the Keras call.

    Args:
        substitution: of the pair.
        anchors: those that hand on Keras's outputs.
        light: layers without weights that lead to an anchor whose inputs differ.
        fed: the run with the anchors alone substituted.
    """
    unlike = [(k, t) for k, t in light if not _equal_outputs(k, fed.calls[t.number])]
    if not unlike or len(unlike) > MOST:
        return set()
    calls = substitution.pair.keras_run.calls
    before = substitution.differences(anchors)
    found: set[int] = set()
    for match in unlike:
        after = substitution.differences([*anchors, match])
        if any(
            one > max(WORSE * before[number], calls[number].allowed)
            for number, one in after.items()
        ):
            found.add(match[0].number)
    differing = [
        (k, t)
        for k, t in unlike
        if k.number not in found and _differs_by_itself(k, fed.calls[t.number])
    ]
    chosen = _smallest(substitution, anchors, differing)
    if chosen is None:
        return found
    for match in differing:
        if match in chosen:
            continue
        alone = substitution.differences([*anchors, match])
        harmful = substitution.unequal([*anchors, *chosen, match])
        if harmful or all(alone[number] == one for number, one in before.items()):
            found.add(match[0].number)
    return found


def _smallest(
    substitution: Substitution, anchors: Sequence[Match], differing: Sequence[Match]
) -> Sequence[Match] | None:
    """The smallest set of pairs whose substitutes leave no anchor's inputs unequal."""
    if len(differing) > TOGETHER:
        return None
    return next(
        (
            chosen
            for count in range(1, len(differing) + 1)
            for chosen in combinations(differing, count)
            if not substitution.unequal([*anchors, *chosen])
        ),
        None,
    )


def _without(matches: Sequence[Match], some: Sequence[Match]) -> list[Match]:
    numbers = {k.number for k, _ in some}
    return [one for one in matches if one[0].number not in numbers]


def _equal_outputs(k: Call, t: Call) -> bool:
    return relative_error(k.output, as_keras(t.output, k.output, k)) <= k.allowed


def _differs_by_itself(k: Call, t: Call) -> bool:
    """Whether outputs differ although the inputs are equal."""
    return not _equal_outputs(k, t) and input_difference(k, t) <= k.allowed
