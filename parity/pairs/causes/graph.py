"""What stands between layers that belong together: another order, a layer more, a layer less."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from parity.adapters.calls import Call
from parity.numerics import tolerance
from parity.numerics.arrays import distance
from parity.pairs.align.match import Alignment, feeds
from parity.pairs.align.tensors import as_keras, mapped
from parity.pairs.causes import layer as layer_causes
from parity.pairs.causes.layer import reference
from parity.reference.layers.kinds import kind_of
from parity.verdict.result import UNKNOWN, Cause, Proof

NOTHING = "nothing"


@dataclass(frozen=True)
class Misfit:
    """Two layers whose inputs differ although all before them is the same.

    Attributes:
        keras: the call.
        torch: its partner, fed by Keras's outputs of all layers before it.
        away: how far the inputs stand apart.
        left: how far the outputs do once both are fed Keras's input, and the layers' own causes
            are mended.
    """

    keras: Call
    torch: Call
    away: float
    left: float


def causes_of(
    misfits: Sequence[Misfit],
    alignment: Alignment,
    keras: Sequence[Call],
    torch: Sequence[Call],
    flavour: str,
) -> list[Cause]:
    """One cause for each place; layers in another order that follow one another are one place.

    Args:
        misfits: in Keras's order.
        alignment: which call is which.
        keras: all of its calls.
        torch: all of its calls.
        flavour: the Keras.
    """
    partners = {k.number: t.number for k, t in alignment.pairs}
    found: list[Cause] = []
    turned: list[Misfit] = []
    for misfit in misfits:
        causes = _between(misfit, partners, keras, torch, flavour)
        wanted = mapped(feeds(misfit.keras, keras, set(partners)), partners)
        actual = feeds(misfit.torch, torch, set(partners.values()))
        followed = None not in wanted and None not in actual
        if causes[0].id in (UNKNOWN, "input.scale") and followed and wanted != actual:
            turned.append(misfit)
            continue
        found += _order(turned)
        turned = []
        found += causes
    found += _order(turned)
    return list({(cause.id, cause.layer): cause for cause in found}.values())


def _told(chain: Sequence[Call], call: Call) -> str:
    """Names of what leads to a call; functions that are no layers where there is nothing else."""
    return " > ".join(one.name for one in chain) or " > ".join(call.through) or NOTHING


def _order(turned: Sequence[Misfit]) -> list[Cause]:
    """Layers that are fed by others than their partners; fed alike, nothing is left."""
    if not turned:
        return []
    own = " > ".join(misfit.keras.name for misfit in turned)
    other = sorted((misfit.torch for misfit in turned), key=lambda call: call.number)
    left = max(misfit.left for misfit in turned)
    proof = Proof(max(misfit.away for misfit in turned), left)
    name = "structure.order" if left <= turned[0].keras.allowed else UNKNOWN
    names = " > ".join(call.name for call in other)
    return [Cause(name, turned[0].keras.name, own, names, proof)]


def _between(
    misfit: Misfit,
    partners: dict[int, int],
    keras: Sequence[Call],
    torch: Sequence[Call],
    flavour: str,
) -> list[Cause]:
    """A layer more or less: its reference, put in or left out, gives Keras's input."""
    own = _chain(misfit.keras, keras, set(partners))
    other = _chain(misfit.torch, torch, set(partners.values()))
    names, others = _told(own, misfit.keras), _told(other, misfit.torch)
    proven = _turned_inputs(misfit) or _channels_first(own, other, misfit)
    if proven:
        return [proven]
    replaced = _replaced(own, other, misfit, flavour)
    if replaced:
        return replaced
    if not own and _pads_a_pool(other, misfit):
        name = POOLS[type(misfit.keras.config).__name__]
        proof = Proof(misfit.away, misfit.left)
        return [Cause(name, misfit.keras.name, "within the pool", others, proof)]
    left = misfit.away
    if misfit.torch.inputs and bool(own) != bool(other):
        put_in = _applied(own, misfit.torch.inputs[0], flavour) if own else _before(other)
        if put_in is not None:
            left = distance(misfit.keras.inputs[0], put_in)
    if left > misfit.keras.allowed:
        layer = (own or [misfit.keras])[0].name
        scaled = _scaled(misfit)
        if scaled:
            return [scaled]
        return [Cause(UNKNOWN, layer, names, others, Proof(misfit.away, left))]
    cause = "structure.missing" if own else "structure.extra"
    layer = (own or other)[0].name
    return [Cause(cause, layer, names, others, Proof(misfit.away, left))]


POOLS = {"MaxPooling": "max_pool.padding_value", "AveragePooling": "average_pool.same_padding"}
"""Pools to what it comes to if zeros are put around their input beforehand."""


def _pads_a_pool(other: Sequence[Call], misfit: Misfit) -> bool:
    """Whether PyTorch pads before a pool that pads by itself in Keras."""
    pool = misfit.keras
    if type(pool.config).__name__ not in POOLS or pool.config.padding == "valid":
        return False
    before = _before(other)
    padding = len(other) == 1 and type(other[0].config).__name__ == "ZeroPadding"
    fed = before is not None and distance(pool.inputs[0], before) <= pool.allowed
    return padding and fed and misfit.left <= pool.allowed


def without_parts(causes: Sequence[Cause]) -> list[Cause]:
    """Causes less those that are part of another: a pool's padding where it stands before it."""
    padded = {one.layer for one in causes if one.id == POOLS["MaxPooling"]}
    kept = [c for c in causes if c.id != "max_pool.same_padding" or c.layer not in padded]
    return list({(one.id, one.layer): one for one in kept}.values())


def _replaced(
    own: Sequence[Call], other: Sequence[Call], misfit: Misfit, flavour: str
) -> list[Cause]:
    """Keras's layers in the place of PyTorch's give Keras's input: of another kind, or fewer."""
    before = _before(other) if own and other else None
    if before is None:
        return []
    wanted, limit = misfit.keras.inputs[0], misfit.keras.allowed
    if len(own) == len(other) == 1:
        forced = as_keras(other[0].output, own[0].output, own[0])
        found = layer_causes.causes_of(own[0], other[0], own[0].inputs, forced, flavour)
        return [one for one in found if one.id != UNKNOWN]
    put_in = _applied(own, before, flavour)
    left = float("inf") if put_in is None else distance(wanted, put_in)
    if left > limit:
        return []
    actual = as_keras(misfit.torch.inputs[0], wanted, misfit.keras)
    for place, call in enumerate(own):
        without = _applied([*own[:place], *own[place + 1 :]], before, flavour)
        if without is not None and distance(actual, without) <= limit:
            proof = Proof(misfit.away, left)
            return [Cause("structure.missing", call.name, call.name, NOTHING, proof)]
    return []


def _turned_inputs(misfit: Misfit) -> Cause | None:
    """The same inputs in another order, or sequences whose steps are taken for examples."""
    k, t = misfit.keras, misfit.torch
    if len(k.inputs) == len(t.inputs) > 1:
        away = [[distance(own, other) for other in t.inputs] for own in k.inputs]
        order = [row.index(min(row)) for row in away]
        left = max(map(min, away))
        if left <= k.allowed and len(set(order)) == len(order):
            names = ", ".join(map(str, range(len(order))))
            others = ", ".join(map(str, order))
            return Cause("structure.order", k.name, names, others, Proof(misfit.away, left))
    kind = kind_of(k.config, k.layer)
    if kind and kind.name in RECURRENT and t.inputs[0].ndim == 3:
        left = max(distance(k.inputs[0], t.inputs[0].swapaxes(0, 1)), misfit.left)
        if left <= k.allowed:
            own, other = "examples first", "steps first"
            proof = Proof(misfit.away, left)
            return Cause(f"{kind.name}.batch_first", k.name, own, other, proof)
    return None


RECURRENT = ("simple_rnn", "lstm", "gru", "bidirectional")
"""Kinds of layers that run along the steps of a sequence."""


def _scaled(misfit: Misfit) -> Cause | None:
    """PyTorch's input is Keras's times one number plus another, for all entries or each channel."""
    if not misfit.torch.inputs or misfit.left > misfit.keras.allowed:
        return None
    if misfit.away <= tolerance.FLOAT32_FLOOR:
        return None  # a number that is rounded otherwise
    x, y = misfit.keras.inputs[0], misfit.torch.inputs[0]
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
        left = distance(own, (other - shift) / factor) if factor.all() else float("inf")
        if left <= misfit.keras.allowed:
            told = " ".join(f"{a:.4g}·x{b:+.4g}" for a, b in zip(factor, shift, strict=True))
            proof = Proof(misfit.away, left)
            return Cause("input.scale", misfit.keras.name, "x", told, proof)
    return None


VALUES = 8
"""Of a channel at the least: any two points lie on a line."""


def _channels_first(own: Sequence[Call], other: Sequence[Call], misfit: Misfit) -> Cause | None:
    """A vector that Keras makes a map of, and PyTorch one whose channels come first."""
    if other or [call.layer for call in own] != ["Reshape"]:
        return None
    (call,) = own
    x, shape = call.inputs[0], call.output.shape
    if x.ndim != 2 or len(shape) < 4:
        return None
    turned = np.moveaxis(x.reshape(shape[0], shape[-1], *shape[1:-1]), 1, -1)
    left = max(distance(turned, misfit.torch.inputs[0]), misfit.left)
    if left > misfit.keras.allowed:
        return None
    proof = Proof(misfit.away, left)
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
        nearest = min(range(len(call.inputs)), key=lambda n: distance(call.inputs[n], x))
        fed = (*call.inputs[:nearest], x, *call.inputs[nearest + 1 :])
        y = reference(call.config, call.weights, fed, flavour, call.options)
        if y is None:
            return None
        x = y
    return x


def _before(chain: Sequence[Call]) -> np.ndarray | None:
    return chain[0].inputs[0] if chain[0].inputs else None
