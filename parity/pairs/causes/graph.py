"""Causes between layers that belong together: another order, a missing layer, an extra layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from parity.adapters.calls import Call
from parity.numerics import tolerance
from parity.numerics.distance import relative_error
from parity.pairs.align.call_graph import feeds
from parity.pairs.align.match import Alignment
from parity.pairs.align.tensors import as_keras, mapped
from parity.pairs.causes import by_hand as by_hand_causes
from parity.pairs.causes import inputs
from parity.pairs.causes import layer as layer_causes
from parity.pairs.causes.layer import reference
from parity.pairs.causes.unequal import UnequalInputs
from parity.reference.layers.kinds import kind_of
from parity.reference.layers.rescaling import Normalization, Rescaling
from parity.verdict.result import UNKNOWN, Cause, Proof

NOTHING = "nothing"


def causes_of(
    unequal: Sequence[UnequalInputs],
    alignment: Alignment,
    keras: Sequence[Call],
    torch: Sequence[Call],
    flavour: str,
) -> list[Cause]:
    """One cause for each place; consecutive layers in another order are one place.

    Args:
        unequal: in Keras's order.
        alignment: which call belongs to which.
        keras: all of Keras's calls.
        torch: all of PyTorch's calls.
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


def _path(chain: Sequence[Call], call: Call) -> str:
    """Names of the layers that lead to a call; of functions where there is no layer."""
    return " > ".join(one.name for one in chain) or " > ".join(call.through) or NOTHING


def _order(reordered: Sequence[UnequalInputs]) -> list[Cause]:
    """Layers that are fed by others than their partners; with equal inputs nothing differs."""
    if not reordered:
        return []
    keras = " > ".join(pair.keras.name for pair in reordered)
    calls = sorted((pair.torch for pair in reordered), key=lambda call: call.number)
    torch = " > ".join(call.name for call in calls)
    after = max(pair.residual for pair in reordered)
    proof = Proof(max(pair.difference for pair in reordered), after)
    name = "structure.order" if after <= reordered[0].keras.allowed else UNKNOWN
    return [Cause(name, reordered[0].keras.name, keras, torch, proof)]


def _between(
    pair: UnequalInputs,
    partners: dict[int, int],
    keras: Sequence[Call],
    torch: Sequence[Call],
    flavour: str,
) -> list[Cause]:
    """A missing or an extra layer: its reference, inserted or left out, gives Keras's input."""
    missing = _chain(pair.keras, keras, set(partners))
    extra = _chain(pair.torch, torch, set(partners.values()))
    names, others = _path(missing, pair.keras), _path(extra, pair.torch)
    proven = inputs.cause_of(pair) or _permuted_inputs(pair)
    proven = proven or _channels_first(missing, extra, pair)
    if proven:
        return [proven]
    replaced = _replaced(missing, extra, pair, flavour)
    if replaced:
        return replaced
    if not missing and _pads_a_pool(extra, pair):
        name = POOLS[type(pair.keras.config).__name__]
        proof = Proof(pair.difference, pair.residual)
        return [Cause(name, pair.keras.name, "within the pool", others, proof)]
    if padded := _padded_within(missing, extra, pair, flavour):
        return [padded]
    after = pair.difference
    if pair.torch.inputs and bool(missing) != bool(extra):
        x = pair.torch.inputs[0]
        changed = _applied(missing, x, flavour) if missing else [_input_of(extra)]
        after = _difference(pair.keras.inputs[0], changed, after)
    if after > pair.keras.allowed:
        layer = (missing or [pair.keras])[0].name
        if missing and pair.residual <= pair.keras.allowed:
            calls = pair.keras, pair.torch
            if by_hand := by_hand_causes.causes_of(missing, calls, pair.difference, flavour):
                return by_hand
        scaled = _scaled(pair)
        if scaled:
            return [scaled]
        return [Cause(UNKNOWN, layer, names, others, Proof(pair.difference, after))]
    scaling = bool(missing) and isinstance(missing[-1].config, (Rescaling, Normalization))
    if scaling and (scaled := _scaled(pair)):
        return [scaled]
    cause = "structure.missing" if missing else "structure.extra"
    layer = (missing or extra)[0].name
    return [Cause(cause, layer, names, others, Proof(pair.difference, after))]


POOLS = {"MaxPooling": "max_pool.padding_value", "AveragePooling": "average_pool.same_padding"}
"""Pool to the cause where PyTorch pads its input with zeros beforehand."""


def _pads_a_pool(extra: Sequence[Call], pair: UnequalInputs) -> bool:
    """Whether PyTorch pads before a pool that pads by itself in Keras."""
    pool = pair.keras
    if type(pool.config).__name__ not in POOLS or pool.config.padding == "valid":
        return False
    before = _input_of(extra)
    padding = len(extra) == 1 and type(extra[0].config).__name__ == "ZeroPadding"
    same_input = before is not None and relative_error(pool.inputs[0], before) <= pool.allowed
    return padding and same_input and pair.residual <= pool.allowed


def _padded_within(
    missing: Sequence[Call], extra: Sequence[Call], pair: UnequalInputs, flavour: str
) -> Cause | None:
    """Keras pads with zeros before a pool that pads by itself in PyTorch."""
    pool, other = pair.keras, pair.torch
    name = type(pool.config).__name__
    pads = [type(one.config).__name__ for one in missing] == ["ZeroPadding"]
    if extra or not pads or name not in POOLS or type(other.config).__name__ != name:
        return None
    if missing[0].config.padding != other.config.padding:
        return None
    after = _difference(pool.output, _applied([*missing, pool], other.inputs[0], flavour))
    if after > pool.allowed:
        return None
    proof = Proof(pair.difference, after)
    return Cause(POOLS[name], pool.name, missing[0].name, "within the pool", proof)


def without_contained(causes: Sequence[Cause]) -> list[Cause]:
    """Causes that are not part of another, as a pool's padding is of the padding before it."""
    padded = {one.layer for one in causes if one.id == POOLS["MaxPooling"]}
    kept = [c for c in causes if c.id != "max_pool.same_padding" or c.layer not in padded]
    return list({(one.id, one.layer): one for one in kept}.values())


def _replaced(
    keras: Sequence[Call], torch: Sequence[Call], pair: UnequalInputs, flavour: str
) -> list[Cause]:
    """Keras's layers instead of PyTorch's give Keras's input: of another kind, or fewer."""
    before = _input_of(torch) if keras and torch else None
    if before is None:
        return []
    expected, limit = pair.keras.inputs[0], pair.keras.allowed
    if len(keras) == len(torch) == 1:
        output = as_keras(torch[0].output, keras[0].output, keras[0])
        found = layer_causes.causes_of(keras[0], torch[0], keras[0].inputs, output, flavour)
        return [one for one in found if one.id != UNKNOWN]
    after = _difference(expected, _applied(keras, before, flavour))
    if after > limit:
        return []
    actual = as_keras(pair.torch.inputs[0], expected, pair.keras)
    for place, call in enumerate(keras):
        without = _applied([*keras[:place], *keras[place + 1 :]], before, flavour)
        if _difference(actual, without) <= limit:
            proof = Proof(pair.difference, after)
            return [Cause("structure.missing", call.name, call.name, NOTHING, proof)]
    return []


def _permuted_inputs(pair: UnequalInputs) -> Cause | None:
    """The same inputs in another order, or sequences whose steps are taken for examples."""
    k, t = pair.keras, pair.torch
    if len(k.inputs) == len(t.inputs) > 1:
        differences = [[relative_error(one, other) for other in t.inputs] for one in k.inputs]
        order = [row.index(min(row)) for row in differences]
        after = max(map(min, differences))
        if after <= k.allowed and len(set(order)) == len(order):
            names = ", ".join(map(str, range(len(order))))
            others = ", ".join(map(str, order))
            return Cause("structure.order", k.name, names, others, Proof(pair.difference, after))
    kind = kind_of(k.config, k.layer)
    if kind and kind.name in RECURRENT and t.inputs[0].ndim == 3:
        after = max(relative_error(k.inputs[0], t.inputs[0].swapaxes(0, 1)), pair.residual)
        if after <= k.allowed:
            proof = Proof(pair.difference, after)
            name = f"{kind.name}.batch_first"
            return Cause(name, k.name, "examples first", "steps first", proof)
    return None


RECURRENT = ("simple_rnn", "lstm", "gru", "bidirectional")
"""Kinds of layers that run along the steps of a sequence."""


def _scaled(pair: UnequalInputs) -> Cause | None:
    """PyTorch's input is Keras's times one number plus another, for all entries or each channel."""
    if not pair.torch.inputs or pair.residual > pair.keras.allowed:
        return None
    if pair.difference <= tolerance.ROUNDING_MAX:
        return None  # only rounded otherwise
    x, y = pair.keras.inputs[0], pair.torch.inputs[0]
    if x.shape == y.shape and relative_error(x, y) <= pair.keras.allowed:
        return None  # it is another input that differs
    if x.shape != y.shape or x.dtype.kind != "f" or not all(np.isfinite(z).all() for z in (x, y)):
        return None
    for channels in (1, x.shape[-1]):
        expected, actual = x.reshape(-1, channels), y.reshape(-1, channels)
        if any(len(np.unique(one)) < VALUES for one in expected.T):
            return None
        spread = expected - expected.mean(0)
        if not (spread**2).sum(0).all():
            continue
        factor = (spread * actual).sum(0) / (spread**2).sum(0)
        shift = (actual - factor * expected).mean(0)
        after = float("inf")
        if factor.all():
            after = relative_error(expected, (actual - shift) / factor)
        if after <= pair.keras.allowed:
            text = " ".join(f"{a:.4g}·x{b:+.4g}" for a, b in zip(factor, shift, strict=True))
            proof = Proof(pair.difference, after)
            return Cause("input.scale", pair.keras.name, "x", text, proof)
    return None


VALUES = 8
"""Distinct values that a channel must have: any two points are on a line."""


def _channels_first(
    keras: Sequence[Call], torch: Sequence[Call], pair: UnequalInputs
) -> Cause | None:
    """A vector that Keras reshapes channels-last, and PyTorch channels-first."""
    if torch or [call.layer for call in keras] != ["Reshape"]:
        return None
    (call,) = keras
    x, shape = call.inputs[0], call.output.shape
    if x.ndim != 2 or len(shape) < 4:
        return None
    channels_last = np.moveaxis(x.reshape(shape[0], shape[-1], *shape[1:-1]), 1, -1)
    after = max(relative_error(channels_last, pair.torch.inputs[0]), pair.residual)
    if after > pair.keras.allowed:
        return None
    proof = Proof(pair.difference, after)
    return Cause("reshape.order", call.name, "channels last", "channels first", proof)


def _chain(call: Call, calls: Sequence[Call], matched: set[int]) -> list[Call]:
    """Calls without a partner that lead to one, in the order of execution."""
    found: list[Call] = []
    source = call.sources[0] if call.sources else None
    while source is not None and source >= 0 and source not in matched:
        found.insert(0, calls[source])
        source = calls[source].sources[0] if calls[source].sources else None
    return found


def _applied(chain: Sequence[Call], x: np.ndarray, flavour: str) -> list[np.ndarray | None]:
    """Keras's layers applied to PyTorch's input, which replaces the most similar of several.

    Once as they are configured and once with constants rounded to float32, as Keras rounds some.
    """
    found: list[np.ndarray | None] = []
    for rounded in (False, True):
        y: np.ndarray | None = x
        for call in chain:
            if call.config is None or y is None:
                return [None]
            errors = [relative_error(one, y) for one in call.inputs]
            nearest = errors.index(min(errors))
            fed = (*call.inputs[:nearest], y, *call.inputs[nearest + 1 :])
            config = layer_causes.roundings(call.config)[-1 if rounded else 0]
            y = reference(config, call.weights, fed, flavour, call.options)
        found.append(y)
    return found


def _difference(
    expected: np.ndarray, found: Sequence[np.ndarray | None], default: float = float("inf")
) -> float:
    """The smallest difference of several arrays; the default where there is none."""
    known = [relative_error(expected, one) for one in found if one is not None]
    return min(known, default=default)


def _input_of(chain: Sequence[Call]) -> np.ndarray | None:
    return chain[0].inputs[0] if chain[0].inputs else None
