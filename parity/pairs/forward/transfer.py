"""Weights whose names or shapes differ: which PyTorch weight holds which of Keras's.

Candidates are found by shape. Where there are several, each assignment is tried on PyTorch's model,
fed Keras's outputs, with random values; the one that makes the outputs equal is the right one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from parity.adapters.calls import Call, Run
from parity.adapters.side import Side
from parity.adapters.trainer import UNOWNED, Key
from parity.adapters.transfer import Transfer
from parity.errors import ParityError
from parity.numerics.distance import relative_error
from parity.numerics.random import stream
from parity.pairs.align.assignments import (
    Choice,
    Slot,
    assignments,
    by_convention,
    by_likeness,
    owner,
    possible,
    sentences,
    words,
)
from parity.pairs.align.call_graph import CallGraph
from parity.pairs.align.match import Alignment
from parity.pairs.align.tensors import as_keras, as_torch, input_difference

MOST = 200
"""Assignments of one group of weights that are tried."""


class Sides:
    """Reads and writes weights of either model by key."""

    def __init__(self, keras: Side, torch: Side, runs: tuple[Run, Run]) -> None:
        self.keras, self.torch = keras, torch
        self.weights = [
            {
                (call.name, name): (call, name)
                for call in run.calls
                if call.merged_into is None
                for name in call.weights
            }
            for run in runs
        ]

    def read(self, side: int, key: Key) -> np.ndarray:
        """The value of a weight; 0 is Keras's side, 1 PyTorch's."""
        if key[1] == UNOWNED:
            return np.asarray((self.keras, self.torch)[side].unowned_parameters([])[key[0]])
        call, name = self.weights[side][key]
        return np.asarray(call.weights[name])

    def write(self, side: int, key: Key, value: np.ndarray) -> None:
        """Overwrite a weight."""
        model = (self.keras, self.torch)[side]
        if key[1] == UNOWNED:
            model.set_unowned_parameters({key[0]: value})
        else:
            model.set_weights(key[0], {key[1]: value})

    def copy(self, transfers: Sequence[Transfer], to_torch: bool = True) -> None:
        """Copy Keras's weights to PyTorch, or the other way."""
        for one in transfers:
            if to_torch:
                whole = self.read(1, one.torch)
                value = one.form.to_torch(self.read(0, one.keras), whole)
                self.write(1, one.torch, value)
            else:
                self.write(0, one.keras, one.form.to_keras(self.read(1, one.torch)))


IN_FLOAT32 = 1e-4
"""Difference in float32 that rounding stays below, and that a wrong assignment exceeds by far."""


@dataclass(frozen=True)
class Transferred:
    """What was copied by other names or shapes, and what was not.

    Attributes:
        transfers: copied.
        undecided: sentences on weights of which several could be the counterpart, or none.
    """

    transfers: tuple[Transfer, ...] = ()
    undecided: tuple[str, ...] = ()


class Trial:
    """Runs PyTorch's model on Keras's outputs and says what differs."""

    def __init__(
        self,
        alignment: Alignment,
        runs: tuple[Run, Run],
        again: tuple[Callable[[], Run], Callable[[Mapping[int, np.ndarray]], Run]],
    ) -> None:
        """Take the models as they ran.

        Args:
            alignment: of the runs.
            runs: Keras's and PyTorch's.
            again: runs each once more, PyTorch's with substitutes for the outputs of calls.
        """
        self.alignment, self.runs, self.again = alignment, runs, again
        self.own = {k.number for k, t in alignment.pairs if k.weights and not _both_known(k, t)}
        self.keras_run = runs[0]

    def run_keras(self) -> None:
        """Compare with Keras's outputs for the weights that it has now."""
        self.keras_run = self.again[0]()

    def differences(self) -> dict[int, float]:
        """Of the inputs of matched layers with weights, and of the outputs of those in question."""
        matched = [(k, t) for k, t in self.alignment.pairs if k.anchor]
        calls = self.keras_run.calls
        values = {t.number: as_torch(calls[k.number].output, t.output, k) for k, t in matched}
        run = self.again[1]({place: one for place, one in values.items() if one is not None})
        found = {}
        for k, t in matched:
            expected, actual = calls[k.number], run.calls[t.number]
            found[k.number] = input_difference(expected, actual)
            if k.number in self.own:
                output = as_keras(actual.output, expected.output, expected)
                found[k.number] = max(found[k.number], relative_error(expected.output, output))
        run.forget()
        return found

    def unequal(self) -> frozenset[int]:
        """Numbers of the Keras calls that differ."""
        calls = self.keras_run.calls
        return frozenset(
            number for number, one in self.differences().items() if not one <= _limit(calls[number])
        )


def _limit(call: Call) -> float:
    """The largest difference that rounding explains."""
    return call.allowed if call.output.dtype == np.float64 else max(call.allowed, IN_FLOAT32)


def complete(
    sides: Sides, alignment: Alignment, trial: Trial, named: set[Key], to_torch: bool
) -> Transferred:
    """Find the counterparts of weights that were not copied by name, and copy them.

    Args:
        sides: both models.
        alignment: of their calls.
        trial: of PyTorch's model.
        named: keys of either side that were copied by name.
        to_torch: whether Keras's are copied to PyTorch, or the other way.
    """
    graphs = CallGraph(trial.runs[0].calls), CallGraph(trial.runs[1].calls)
    slots = [_slots(number, sides, alignment, graphs, named) for number in (0, 1)]
    found: list[Transfer] = []
    undecided: list[str] = []
    for keras, torch in _components(*slots):
        before = {one.key: sides.read(1, one.key).copy() for one in torch}
        choices = possible(keras, torch)
        fitting = [one for one, some in zip(keras, choices, strict=True) if some]
        chosen = _assigned(fitting, [one for one in choices if one], sides, trial)
        if chosen is None or not to_torch:
            for key, value in before.items():
                sides.write(1, key, value)
        sides.copy(chosen or (), to_torch)
        found += chosen or []
        used = {one.torch for one in chosen or ()}
        rest = [one for one in torch if one.key not in used]
        left = [one for one in keras if chosen is None or one not in fitting]
        if rest and any(not one.known for one in (*left, *rest)):
            undecided += sentences(left, rest)
    return Transferred(tuple(found), tuple(undecided))


def _slots(
    side: int,
    sides: Sides,
    alignment: Alignment,
    graphs: tuple[CallGraph, CallGraph],
    named: set[Key],
) -> list[Slot]:
    """Weights of one side that were not copied, with where they take effect."""
    graph = graphs[side]
    partners = {pair[side].number: pair[0].number for pair in alignment.pairs}
    unlike = {pair[side].name: pair[0].number for pair in alignment.pairs if not _both_known(*pair)}
    alone = {call.name for call in (alignment.keras_only, alignment.torch_only)[side]}
    model = (sides.keras, sides.torch)[side]
    called = list(dict.fromkeys(layer for layer, _ in sides.weights[side]))
    unowned = model.unowned_parameters(called)
    carried: dict[str, list[list[str]]] = {}
    found = {}
    for key, (call, name) in sides.weights[side].items():
        if key in named or (call.name not in unlike and call.name not in alone):
            continue
        if call.name not in carried:
            held = model.unowned_parameters([one for one in called if one != call.name])
            names = [one for one in held if one not in unowned]
            carried[call.name] = [words(one) for one in names if (one, UNOWNED) in named]
            if len(carried[call.name]) == len(names):
                carried[call.name] += [words(one) for one in call.weights]
        own = words(name)
        if any(one[-len(own) :] == own for one in carried[call.name]):
            continue
        region = frozenset({unlike[call.name]} if call.name in unlike else ())
        if not region:
            region = _downstream(call.number, graph, partners)
        known = call.config is not None
        found[key] = Slot(key, call.weights[name].shape, known, region)
    for name, value in unowned.items():
        if (name, UNOWNED) not in named:
            found[name, UNOWNED] = Slot((name, UNOWNED), value.shape, False, frozenset())
    return list(found.values())


def _both_known(k: Call, t: Call) -> bool:
    return type(k.config) is type(t.config) and k.config is not None


def _downstream(number: int, graph: CallGraph, partners: Mapping[int, int]) -> frozenset[int]:
    """The next matched layers with weights, by the number of the Keras call.

    Where a call could not be followed, such as the keys of an attention by hand, those of the call
    after it.
    """
    found, ahead, seen = set(), [number], {number}
    while ahead:
        for taker in graph.takers[ahead.pop()]:
            if taker in seen:
                continue
            seen.add(taker)
            if taker in partners and graph.anchors[taker]:
                found.add(partners[taker])
            else:
                ahead.append(taker)
    following = number + 1
    if found or following == len(graph.calls):
        return frozenset(found)
    if following in partners and graph.anchors[following]:
        return frozenset({partners[following]})
    return _downstream(following, graph, partners)


def _components(
    keras: Sequence[Slot], torch: Sequence[Slot]
) -> Iterator[tuple[list[Slot], list[Slot]]]:
    """Weights of both sides of one region; those of no region with all that are not of another."""
    regions = [{one.region for one in some} for some in (keras, torch)]
    common = [one for one in regions[0] if one in regions[1] and one]
    for region in common:
        yield (
            [one for one in keras if one.region == region],
            [one for one in torch if one.region == region],
        )
    rest = [[one for one in some if one.region not in common] for some in (keras, torch)]
    if all(rest) and any(not one.known for some in rest for one in some):
        yield rest[0], rest[1]


def _assigned(
    keras: Sequence[Slot], choices: Sequence[list[Choice]], sides: Sides, trial: Trial
) -> list[Transfer] | None:
    """The assignment of one group; None where it cannot be decided."""
    several = map(tuple, itertools.islice(assignments(keras, choices), MOST))
    found = [list(one) for one in dict.fromkeys(several)]
    if len(found) < 2:
        return found[0] if found else None
    own = {slot.key: sides.read(0, slot.key).copy() for slot in keras}
    perturbed = _perturbed(sides, own, trial)
    chosen = _by_trial(found, sides, trial)
    if perturbed:
        for key, value in own.items():
            sides.write(0, key, value)
        trial.keras_run = trial.runs[0]
    owners = {owner(one) for one in keras}, {owner(t) for some in choices for t, _ in some}
    if chosen is None and all(len(one) == 1 for one in owners):
        chosen = by_convention(found)
    return chosen or by_likeness(keras, choices, found[0])


def _perturbed(sides: Sides, own: Mapping[Key, np.ndarray], trial: Trial) -> bool:
    """Give Keras's weights random values, so that no two are equal; False where it must not be."""
    draws = stream(0, "transfer")
    try:
        for key, value in own.items():
            first, second = draws.random(value.shape), draws.random(value.shape)
            sides.write(0, key, value * (1 + 0.5 * first) + 0.2 * second)
    except ParityError:
        return False
    trial.run_keras()
    return True


def _by_trial(
    choices: Sequence[list[Transfer]], sides: Sides, trial: Trial
) -> list[Transfer] | None:
    """The first that leaves fewer differences than others, and no others than they leave."""
    results: list[tuple[frozenset[int], list[Transfer]]] = []
    for choice in choices:
        sides.copy(choice)
        results.append((trial.unequal(), choice))
        if not results[-1][0]:
            break
    least, chosen = min(results, key=lambda one: len(one[0]))
    if not least and len(results) == 1:
        return chosen
    better = all(least < other for other, one in results if one is not chosen and other != least)
    several = sum(other == least for other, _ in results)
    return chosen if better and several == 1 else None
