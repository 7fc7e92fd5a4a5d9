"""Matches Keras layers with PyTorch modules: by order of execution, kind, shapes and inputs.

Layers with weights, and outputs, come first. Two match if they are of the same kind, the largest
weight has the same shape and their inputs come from layers that match. Among several candidates the
layers upstream and downstream decide, then the names, then equal weights, settings or outputs, then
the order. Layers between them are matched likewise, one after the other.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.adapters.calls import Call, Output, Run, leading
from parity.adapters.trainer import Key
from parity.errors import ParityError
from parity.numerics import tolerance
from parity.numerics.distance import relative_error
from parity.pairs.align import config_diff
from parity.reference.layers.activations import Activation
from parity.reference.layers.kinds import family_of

MOVES = {"Flatten", "Reshape", "Permute"}
"""Layers that only rearrange entries: followed, not matched."""

ORDER = ((True, 0, False), (False, 1, True), (False, 1, False), (False, 2, False))
"""Anchors, reach, exact: layers with weights, then those in between, of the same kind or a similar
one, between the same anchors, then beyond the next."""


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
    matched = _by_layer_map(keras, torch, layer_map or {})
    for anchors, reach, exact in ORDER:
        taken = set(matched.values())
        for k in keras:
            if k.number in matched or k.anchor != anchors or _passed_over(k):
                continue
            free = [
                t
                for t in torch
                if t.number not in taken
                and t.anchor == anchors
                and not _passed_over(t)
                and _may_match(k, t)
                and (k.layer == t.layer or not exact)
            ]
            best = _best(k, free, keras, torch, matched, reach)
            if best is not None:
                matched[k.number] = best.number
                taken.add(best.number)
    taken = set(matched.values())
    return Alignment(
        tuple((k, torch[matched[k.number]]) for k in keras if k.number in matched),
        tuple(k for k in keras if k.number not in matched and not _passed_over(k)),
        tuple(t for t in torch if t.number not in taken and not _passed_over(t)),
    )


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


def _passed_over(call: Call) -> bool:
    """Whether it is followed, but not matched."""
    nothing = call.config == Activation(activation="linear")
    return call.layer in MOVES or call.merged_into is not None or nothing


def _may_match(k: Call, t: Call) -> bool:
    """Whether they could be the same layer: kind and the shape of the largest weight.

    For unknown kinds the shapes of all weights.
    """
    same = family_of(k.config, k.layer) == family_of(t.config, t.layer)
    if k.config is None or t.config is None:
        same = bool(k.weights) and _shapes(k) == _shapes(t)
    return same and (not k.weights or _largest(k) == _largest(t))


def _shapes(call: Call) -> list[tuple[int, ...]]:
    return sorted(one.shape for one in call.weights.values())


def _largest(call: Call) -> tuple[int, ...]:
    return max((one.shape for one in call.weights.values()), key=lambda shape: (len(shape), shape))


def feeds(call: Call, calls: Sequence[Call], matched: set[int]) -> frozenset[int | None]:
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


def _best(
    k: Call,
    free: Sequence[Call],
    keras: Sequence[Call],
    torch: Sequence[Call],
    matched: Mapping[int, int],
    reach: int,
) -> Call | None:
    if not free:
        return None
    expected = {
        matched.get(one, one) if one is not None else None for one in feeds(k, keras, set(matched))
    }
    taken = set(matched.values())

    def agreement(t: Call) -> float:
        actual = feeds(t, torch, taken)
        if None in actual or None in expected:
            return 0.5
        return len(actual & expected) / len(actual | expected)

    def order_key(t: Call) -> tuple[bool, bool]:
        return t.layer != k.layer, t.output.shape != k.output.shape

    agreed = {t.number: agreement(t) for t in free}
    most = max(agreed.values())
    closest = [t for t in free if agreed[t.number] == most]
    if not k.anchor and most < 1.0:
        closest = _between(k, free, keras, matched, reach)
        if not closest:
            return None
    nearest = min(order_key(t) for t in closest)
    closest = [t for t in closest if order_key(t) == nearest]
    siblings = [t for t in closest if feeds(t, torch, taken) == feeds(closest[0], torch, taken)]
    if len(siblings) > 1:
        neighbours = _neighbours(k, keras)
        similar = [t for t in siblings if _neighbours(t, torch) == neighbours]
        closest, siblings = (similar, similar) if similar else (closest, siblings)
    likeness = sorted((_likeness(k.name, t.name), -t.number, t) for t in siblings)
    if len(likeness) > 1 and likeness[-1][0] > likeness[-2][0]:
        return likeness[-1][2]
    found = None
    if len(siblings) > 1 and not isinstance(k.config, Output):  # outputs match by position
        sources = feeds(k, keras, set(matched))
        free = [one for one in keras if one.number not in matched]
        fed = [one for one in free if feeds(one, keras, set(matched)) == sources]
        rivals = [one for one in _independent(fed, keras) if one is not k]
        found = _equal(k, _independent(siblings, torch), rivals)
    return found or min(closest, key=lambda t: t.number)


def _neighbours(call: Call, calls: Sequence[Call]) -> tuple[Counter[Any], Counter[Any]]:
    """Kinds of the calls upstream and downstream, up to the next layers with weights.

    Of those downstream with weights, the shape of the largest weight as well.
    """
    upstream = Counter(_family(calls[one]) for one in leading(call.sources, calls))
    downstream: Counter[Any] = Counter()
    ahead, seen = {call.number}, {call.number}
    while ahead:
        takers = [one for one in calls if ahead & {*one.sources} and one.number not in seen]
        seen |= {one.number for one in takers}
        downstream += Counter((_family(one), _largest(one)) for one in takers if one.weights)
        light = [one for one in takers if not one.anchor]
        downstream += Counter(_family(one) for one in light)
        ahead = {one.number for one in light}
    for kinds in (upstream, downstream):
        kinds.pop("", None)
    return upstream, downstream


def _family(call: Call) -> str:
    """Its family of kinds that may match; empty for what is not matched."""
    if _passed_over(call):
        return ""
    return family_of(call.config, call.layer)


def _independent(some: Sequence[Call], calls: Sequence[Call]) -> list[Call]:
    """Those of some calls that are not downstream of the others."""
    numbers = {one.number for one in some}
    return [one for one in some if not feeds(one, calls, numbers - {one.number}) & numbers]


def _equal(k: Call, siblings: Sequence[Call], rivals: Sequence[Call]) -> Call | None:
    """The first with equal weights, else settings, else output; else the first unequal to rivals.

    None where none of these decides, as with weights that have not been copied.
    """
    for same in (_same_weights, _same_settings, _same_output):
        found = [t for t in siblings if same(k, t)]
        found = found or [t for t in siblings if not any(same(one, t) for one in rivals)]
        if 0 < len(found) < len(siblings):
            return min(found, key=lambda t: t.number)
    return None


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


def _likeness(keras: str, torch: str) -> int:
    """Letters that two names' last parts share: of words where one is the beginning of the other.

    ``query`` and ``q_proj`` share one, ``value`` and ``q_proj`` none; numbers are ignored.
    """
    last = (re.split("[./]", re.sub(r"[./0-9]+$", "", name))[-1] for name in (keras, torch))
    first, second = (re.findall("[a-z]+", name.lower()) for name in last)
    return sum(
        max((min(len(a), len(b)) for b in second if a.startswith(b) or b.startswith(a)), default=0)
        for a in first
    )


def _between(
    k: Call, free: Sequence[Call], keras: Sequence[Call], matched: Mapping[int, int], reach: int
) -> list[Call]:
    """Candidates between the same anchors; with a larger reach, also beyond the next anchor."""
    anchors = sorted(number for number in matched if keras[number].anchor)
    before = [matched[n] for n in anchors if n < k.number]
    after = [matched[n] for n in anchors if n > k.number]
    low = before[-reach] if len(before) >= reach else -1
    high = after[reach - 1] if len(after) >= reach else 1 << 60
    return [t for t in free if low < t.number < high]
