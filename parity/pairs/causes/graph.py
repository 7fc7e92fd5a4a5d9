"""What stands between layers that belong together: another order, a layer more, a layer less."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from parity.adapters.calls import Call
from parity.numerics import tolerance
from parity.numerics.distance import relative_error
from parity.pairs.align.match import Alignment, feeds
from parity.pairs.align.tensors import as_keras, mapped
from parity.pairs.causes import layer as layer_causes
from parity.pairs.causes.layer import reference
from parity.reference.layers.kinds import kind_of
from parity.verdict.result import UNKNOWN, Cause, Proof

NOTHING = "nothing"


@dataclass(frozen=True)
class UnequalInputs:
    """Two layers whose inputs differ although everything upstream is equal.

    Attributes:
        keras: the call.
        torch: its partner, where all PyTorch layers upstream hand on Keras's outputs.
        difference: of the inputs.
        residual: difference of the outputs once both are fed Keras's inputs and the layers' own
            causes are corrected.
    """

    keras: Call
    torch: Call
    difference: float
    residual: float


def causes_of(
    unequal: Sequence[UnequalInputs],
    alignment: Alignment,
    keras: Sequence[Call],
    torch: Sequence[Call],
    flavour: str,
) -> list[Cause]:
    """One cause for each place; layers in another order that follow one another are one place.

    Args:
        unequal: in Keras's order.
        alignment: which call is which.
        keras: all of its calls.
        torch: all of its calls.
        flavour: the Keras.
    """
    partners = {k.number: t.number for k, t in alignment.pairs}
    found: list[Cause] = []
    reordered: list[UnequalInputs] = []
    for pair in unequal:
        causes = _between(pair, partners, keras, torch, flavour)
        wanted = mapped(feeds(pair.keras, keras, set(partners)), partners)
        actual = feeds(pair.torch, torch, set(partners.values()))
        followed = None not in wanted and None not in actual
        if causes[0].id in (UNKNOWN, "input.scale") and followed and wanted != actual:
            reordered.append(pair)
            continue
        found += _order(reordered)
        reordered = []
        found += causes
    found += _order(reordered)
    return list({(cause.id, cause.layer): cause for cause in found}.values())


def _told(chain: Sequence[Call], call: Call) -> str:
    """Names of what leads to a call; functions that are no layers where there is nothing else."""
    return " > ".join(one.name for one in chain) or " > ".join(call.through) or NOTHING


def _order(turned: Sequence[UnequalInputs]) -> list[Cause]:
    """Layers that are fed by others than their partners; fed alike, nothing is left."""
    if not turned:
        return []
    own = " > ".join(pair.keras.name for pair in turned)
    other = sorted((pair.torch for pair in turned), key=lambda call: call.number)
    left = max(pair.residual for pair in turned)
    proof = Proof(max(pair.difference for pair in turned), left)
    name = "structure.order" if left <= turned[0].keras.allowed else UNKNOWN
    names = " > ".join(call.name for call in other)
    return [Cause(name, turned[0].keras.name, own, names, proof)]


def _between(
    pair: UnequalInputs,
    partners: dict[int, int],
    keras: Sequence[Call],
    torch: Sequence[Call],
    flavour: str,
) -> list[Cause]:
    """A layer more or less: its reference, put in or left out, gives Keras's input."""
    own = _chain(pair.keras, keras, set(partners))
    other = _chain(pair.torch, torch, set(partners.values()))
    names, others = _told(own, pair.keras), _told(other, pair.torch)
    proven = _turned_inputs(pair) or _channels_first(own, other, pair)
    if proven:
        return [proven]
    replaced = _replaced(own, other, pair, flavour)
    if replaced:
        return replaced
    if not own and _pads_a_pool(other, pair):
        name = POOLS[type(pair.keras.config).__name__]
        proof = Proof(pair.difference, pair.residual)
        return [Cause(name, pair.keras.name, "within the pool", others, proof)]
    left = pair.difference
    if pair.torch.inputs and bool(own) != bool(other):
        put_in = _applied(own, pair.torch.inputs[0], flavour) if own else _before(other)
        if put_in is not None:
            left = relative_error(pair.keras.inputs[0], put_in)
    if left > pair.keras.allowed:
        layer = (own or [pair.keras])[0].name
        scaled = _scaled(pair)
        if scaled:
            return [scaled]
        return [Cause(UNKNOWN, layer, names, others, Proof(pair.difference, left))]
    cause = "structure.missing" if own else "structure.extra"
    layer = (own or other)[0].name
    return [Cause(cause, layer, names, others, Proof(pair.difference, left))]


POOLS = {"MaxPooling": "max_pool.padding_value", "AveragePooling": "average_pool.same_padding"}
"""Pools to what it comes to if zeros are put around their input beforehand."""


def _pads_a_pool(other: Sequence[Call], pair: UnequalInputs) -> bool:
    """Whether PyTorch pads before a pool that pads by itself in Keras."""
    pool = pair.keras
    if type(pool.config).__name__ not in POOLS or pool.config.padding == "valid":
        return False
    before = _before(other)
    padding = len(other) == 1 and type(other[0].config).__name__ == "ZeroPadding"
    fed = before is not None and relative_error(pool.inputs[0], before) <= pool.allowed
    return padding and fed and pair.residual <= pool.allowed


def without_contained(causes: Sequence[Cause]) -> list[Cause]:
    """Causes less those that are part of another: a pool's padding where it stands before it."""
    padded = {one.layer for one in causes if one.id == POOLS["MaxPooling"]}
    kept = [c for c in causes if c.id != "max_pool.same_padding" or c.layer not in padded]
    return list({(one.id, one.layer): one for one in kept}.values())


def _replaced(
    own: Sequence[Call], other: Sequence[Call], pair: UnequalInputs, flavour: str
) -> list[Cause]:
    """Keras's layers in the place of PyTorch's give Keras's input: of another kind, or fewer."""
    before = _before(other) if own and other else None
    if before is None:
        return []
    wanted, limit = pair.keras.inputs[0], pair.keras.allowed
    if len(own) == len(other) == 1:
        forced = as_keras(other[0].output, own[0].output, own[0])
        found = layer_causes.causes_of(own[0], other[0], own[0].inputs, forced, flavour)
        return [one for one in found if one.id != UNKNOWN]
    put_in = _applied(own, before, flavour)
    left = float("inf") if put_in is None else relative_error(wanted, put_in)
    if left > limit:
        return []
    actual = as_keras(pair.torch.inputs[0], wanted, pair.keras)
    for place, call in enumerate(own):
        without = _applied([*own[:place], *own[place + 1 :]], before, flavour)
        if without is not None and relative_error(actual, without) <= limit:
            proof = Proof(pair.difference, left)
            return [Cause("structure.missing", call.name, call.name, NOTHING, proof)]
    return []


def _turned_inputs(pair: UnequalInputs) -> Cause | None:
    """The same inputs in another order, or sequences whose steps are taken for examples."""
    k, t = pair.keras, pair.torch
    if len(k.inputs) == len(t.inputs) > 1:
        away = [[relative_error(own, other) for other in t.inputs] for own in k.inputs]
        order = [row.index(min(row)) for row in away]
        left = max(map(min, away))
        if left <= k.allowed and len(set(order)) == len(order):
            names = ", ".join(map(str, range(len(order))))
            others = ", ".join(map(str, order))
            return Cause("structure.order", k.name, names, others, Proof(pair.difference, left))
    kind = kind_of(k.config, k.layer)
    if kind and kind.name in RECURRENT and t.inputs[0].ndim == 3:
        left = max(relative_error(k.inputs[0], t.inputs[0].swapaxes(0, 1)), pair.residual)
        if left <= k.allowed:
            own, other = "examples first", "steps first"
            proof = Proof(pair.difference, left)
            return Cause(f"{kind.name}.batch_first", k.name, own, other, proof)
    return None


RECURRENT = ("simple_rnn", "lstm", "gru", "bidirectional")
"""Kinds of layers that run along the steps of a sequence."""


def _scaled(pair: UnequalInputs) -> Cause | None:
    """PyTorch's input is Keras's times one number plus another, for all entries or each channel."""
    if not pair.torch.inputs or pair.residual > pair.keras.allowed:
        return None
    if pair.difference <= tolerance.FLOAT32_FLOOR:
        return None  # a number that is rounded otherwise
    x, y = pair.keras.inputs[0], pair.torch.inputs[0]
    if x.shape != y.shape or x.dtype.kind != "f" or not all(np.isfinite(z).all() for z in (x, y)):
        return None
    for channels in (1, x.shape[-1]):
        own, other = x.reshape(-1, channels), y.reshape(-1, channels)
        if any(len(np.unique(one)) < VALUES for one in own.T):
            return None
        spread = own - own.mean(0)
        if not (spread**2).sum(0).all():
            continue
        factor = (spread * other).sum(0) / (spread**2).sum(0)
        shift = (other - factor * own).mean(0)
        left = relative_error(own, (other - shift) / factor) if factor.all() else float("inf")
        if left <= pair.keras.allowed:
            told = " ".join(f"{a:.4g}·x{b:+.4g}" for a, b in zip(factor, shift, strict=True))
            proof = Proof(pair.difference, left)
            return Cause("input.scale", pair.keras.name, "x", told, proof)
    return None


VALUES = 8
"""Of a channel at the least: any two points lie on a line."""


def _channels_first(
    own: Sequence[Call], other: Sequence[Call], pair: UnequalInputs
) -> Cause | None:
    """A vector that Keras makes a map of, and PyTorch one whose channels come first."""
    if other or [call.layer for call in own] != ["Reshape"]:
        return None
    (call,) = own
    x, shape = call.inputs[0], call.output.shape
    if x.ndim != 2 or len(shape) < 4:
        return None
    turned = np.moveaxis(x.reshape(shape[0], shape[-1], *shape[1:-1]), 1, -1)
    left = max(relative_error(turned, pair.torch.inputs[0]), pair.residual)
    if left > pair.keras.allowed:
        return None
    proof = Proof(pair.difference, left)
    return Cause("reshape.order", call.name, "channels last", "channels first", proof)


def _chain(call: Call, calls: Sequence[Call], matched: set[int]) -> list[Call]:
    """Calls without a partner that lead to one, in the order of execution."""
    found: list[Call] = []
    source = call.sources[0] if call.sources else None
    while source is not None and source >= 0 and source not in matched:
        found.insert(0, calls[source])
        source = calls[source].sources[0] if calls[source].sources else None
    return found


def _applied(chain: Sequence[Call], x: np.ndarray, flavour: str) -> np.ndarray | None:
    """What Keras's layers make of PyTorch's input; of several inputs it stands for its like."""
    for call in chain:
        if call.config is None:
            return None
        nearest = min(range(len(call.inputs)), key=lambda n: relative_error(call.inputs[n], x))
        fed = (*call.inputs[:nearest], x, *call.inputs[nearest + 1 :])
        y = reference(call.config, call.weights, fed, flavour, call.options)
        if y is None:
            return None
        x = y
    return x


def _before(chain: Sequence[Call]) -> np.ndarray | None:
    return chain[0].inputs[0] if chain[0].inputs else None
