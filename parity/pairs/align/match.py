"""Which Keras layer is which PyTorch module: by order of execution, kind, shapes and what feeds it.

Layers with weights, and outputs, come first: the same kind, a largest weight of the same shape, fed
by layers that belong together; siblings that all of that leaves alike are told apart by what stands
before and behind them, by their names, then by weights, settings or outputs that are the same, then
by their order. What stands between them is matched likewise, one after the other.
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
"""Layers that only move entries about: followed, not matched."""

ORDER = ((True, 0, False), (False, 1, True), (False, 1, False), (False, 2, False))
"""Layers with weights, then what stands between them: of the same kind, alike, farther away."""


@dataclass(frozen=True)
class Alignment:
    """Calls that belong together, in Keras's order of execution, and those without a partner."""

    pairs: tuple[tuple[Call, Call], ...]
    keras_only: tuple[Call, ...]
    torch_only: tuple[Call, ...]

    def of(self, keras: Run, torch: Run) -> Alignment:
        """The same, of other runs of the same models."""
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
        ParityError: ``layer_map`` names what is not there.
    """
    matched = _given(keras, torch, layer_map or {})
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


def _given(
    keras: Sequence[Call], torch: Sequence[Call], names: Mapping[str, str]
) -> dict[int, int]:
    """Calls by the names that the user gave; several layers go with one module's calls in order."""
    found = {}
    for other in dict.fromkeys(names.values()):
        layers = [own for own, one in names.items() if one == other]
        own = sorted((one for name in layers for one in _called(name, keras)), key=_number)
        theirs = _called(other, torch)
        if len(layers) > 1 and len(own) > len(theirs):
            received = " and ".join(f"{name}={other}" for name in layers)
            raise ParityError(f"layer_map: received {received}, accepted: each module once")
        for k, t in zip(own, theirs, strict=False):
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
    """Whether it is followed, but is no layer to be matched."""
    nothing = call.config == Activation(activation="linear")
    return call.layer in MOVES or call.merged_into is not None or nothing


def _may_match(k: Call, t: Call) -> bool:
    """Whether they could be the same layer: kind and the shape of the largest weight.

    Of kinds that are not known, the shapes of all weights.
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
    seen: set[int] = set()  # each once: branches that join double the ways at every join
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
    wanted = {
        matched.get(one, one) if one is not None else None for one in feeds(k, keras, set(matched))
    }
    taken = set(matched.values())

    def agreement(t: Call) -> float:
        own = feeds(t, torch, taken)
        if None in own or None in wanted:
            return 0.5
        return len(own & wanted) / len(own | wanted)

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
        around = _around(k, keras)
        alike = [t for t in siblings if _around(t, torch) == around]
        closest, siblings = (alike, alike) if alike else (closest, siblings)
    likeness = sorted((_likeness(k.name, t.name), -t.number, t) for t in siblings)
    if len(likeness) > 1 and likeness[-1][0] > likeness[-2][0]:
        return likeness[-1][2]
    found = None
    if len(siblings) > 1 and not isinstance(k.config, Output):  # whose place is what counts
        own = feeds(k, keras, set(matched))
        free = [one for one in keras if one.number not in matched]
        fed = [one for one in free if feeds(one, keras, set(matched)) == own]
        rivals = [one for one in _abreast(fed, keras) if one is not k]
        found = _alike(k, _abreast(siblings, torch), rivals)
    return found or min(closest, key=lambda t: t.number)


def _around(call: Call, calls: Sequence[Call]) -> tuple[Counter[Any], Counter[Any]]:
    """Kinds of what stands before a call, and behind it, each way up to layers with weights.

    The first of those behind it are told with their largest weight.
    """
    before = Counter(_family(calls[one]) for one in leading(call.sources, calls))
    behind: Counter[Any] = Counter()
    ahead, seen = {call.number}, {call.number}
    while ahead:
        takers = [one for one in calls if ahead & {*one.sources} and one.number not in seen]
        seen |= {one.number for one in takers}
        behind += Counter((_family(one), _largest(one)) for one in takers if one.weights)
        light = [one for one in takers if not one.anchor]
        behind += Counter(_family(one) for one in light)
        ahead = {one.number for one in light}
    for kinds in (before, behind):
        kinds.pop("", None)
    return before, behind


def _family(call: Call) -> str:
    """Its kind, of those that may be taken for one another the first; of no layer nothing."""
    if _passed_over(call):
        return ""
    return family_of(call.config, call.layer)


def _abreast(some: Sequence[Call], calls: Sequence[Call]) -> list[Call]:
    """Those of some calls that none of the others leads to."""
    numbers = {one.number for one in some}
    return [one for one in some if not feeds(one, calls, numbers - {one.number}) & numbers]


def _alike(k: Call, siblings: Sequence[Call], rivals: Sequence[Call]) -> Call | None:
    """The first of the same weights, else settings, else output; else the first that no rival is.

    None where they say nothing, as the weights of a model that has not taken over the other's.
    """
    for same in (_same_weights, _same_settings, _same_output):
        left = [t for t in siblings if same(k, t)]
        left = left or [t for t in siblings if not any(same(one, t) for one in rivals)]
        if 0 < len(left) < len(siblings):
            return min(left, key=lambda t: t.number)
    return None


def _same_weights(k: Call, t: Call) -> bool:
    if k.weights.keys() != t.weights.keys():
        return False
    # the small ones first: where they part, the large ones are not read
    names = sorted(k.weights, key=lambda name: (name != "bias", name))
    return all(_same(k.weights[name], t.weights[name]) for name in names)


def _same_settings(k: Call, t: Call) -> bool:
    if k.config is None or type(k.config) is not type(t.config):
        return False
    return not config_diff.fields(k, t, k.inputs)


def _same_output(k: Call, t: Call) -> bool:
    return k.layer == t.layer and _same(k.output, t.output)


def _same(own: np.ndarray, other: np.ndarray) -> bool:
    """Up to rounding to float32, in which weights may have been carried."""
    return relative_error(own, other) <= tolerance.FLOAT32_FLOOR


def _likeness(own: str, other: str) -> int:
    """Letters that two names' last parts share: of words that begin alike, one of them whole.

    ``query`` and ``q_proj`` share one, ``value`` and ``q_proj`` none; numbers say nothing.
    """
    last = (re.split("[./]", re.sub(r"[./0-9]+$", "", name))[-1] for name in (own, other))
    ours, theirs = (re.findall("[a-z]+", name.lower()) for name in last)
    return sum(
        max((min(len(a), len(b)) for b in theirs if a.startswith(b) or b.startswith(a)), default=0)
        for a in ours
    )


def _between(
    k: Call, free: Sequence[Call], keras: Sequence[Call], matched: Mapping[int, int], reach: int
) -> list[Call]:
    """Those that stand between the same anchors, or between the next but one."""
    anchors = sorted(number for number in matched if keras[number].anchor)
    before = [matched[n] for n in anchors if n < k.number]
    after = [matched[n] for n in anchors if n > k.number]
    low = before[-reach] if len(before) >= reach else -1
    high = after[reach - 1] if len(after) >= reach else 1 << 60
    return [t for t in free if low < t.number < high]
