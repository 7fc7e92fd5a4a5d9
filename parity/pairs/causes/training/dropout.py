"""Causes in dropout and noise in training; noise that a port computes without a layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from parity.adapters.calls import Call
from parity.adapters.random_draws import normal, uniform
from parity.numerics import tolerance
from parity.numerics.distance import relative_error
from parity.pairs.align.tensors import as_torch
from parity.pairs.causes.search import smallest_explanation
from parity.reference.layers import dropout, merging
from parity.verdict.result import UNKNOWN, Cause, Proof

DROPOUTS = {
    one.keras: one for one in (dropout.Dropout, dropout.AlphaDropout, dropout.GaussianDropout)
}
SPATIAL = ("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D")
NOISE = (*DROPOUTS, *SPATIAL, "GaussianNoise")
"""Keras layers that draw random numbers."""

LIMITS = {
    "float64": tolerance.FLOAT64["forward_train"].limit,
    "float32": tolerance.ROUNDING_MAX,
}
"""Tolerance, by dtype, for noise to be a multiple of the random numbers."""

ENTRIES, CHANNELS, STEPS, EXAMPLES = "entries", "whole channels", "whole steps", "whole examples"
STEPS_AS_CHANNELS = "whole steps, taken for channels"
"""What a dropout drops: single entries, or all entries of a channel, a step, or an example."""

DIGITS = 12
"""Significant digits of a standard deviation that is estimated; the others are rounding."""


@dataclass(frozen=True)
class WrittenNoise:
    """A sum or product in a model's code that adds or applies noise.

    Attributes:
        number: of its call.
        config: the equivalent layer.
        place: of the input that gets the noise.
    """

    number: int
    config: dropout.GaussianNoise | dropout.GaussianDropout
    place: int

    def of(self, call: Call) -> Call:
        """The call as one of that layer."""
        inputs, sources = call.inputs[self.place], call.sources[self.place]
        return replace(call, config=self.config, inputs=(inputs,), sources=(sources,))


def find_noise(calls: Sequence[Call], first: int, drawn: np.ndarray) -> WrittenNoise | None:
    """Find the first call that adds a multiple of normal numbers, or multiplies by 1 plus that.

    Args:
        calls: of a model in training.
        first: number of the call before which they were drawn.
        drawn: standard normal numbers, canonical.
    """
    z = drawn.astype(np.float64)
    for call in calls[first:]:
        added = call.config == merging.Add()
        if not (added or call.config == merging.Multiply()):
            continue
        if [one.shape for one in call.inputs] != [z.shape, z.shape]:
            continue
        mean = 0.0 if added else 1.0
        for place in (0, 1):
            noise = call.inputs[1 - place]
            stddev = float(f"{np.vdot(z, noise - mean) / np.vdot(z, z):.{DIGITS}g}")
            limit = LIMITS.get(str(noise.dtype), 0.0)
            if relative_error(noise, mean + stddev * z) > limit:
                continue
            if added:
                return WrittenNoise(call.number, dropout.GaussianNoise(stddev=stddev), place)
            rate = float(f"{stddev**2 / (1.0 + stddev**2):.{DIGITS}g}")
            return WrittenNoise(call.number, dropout.GaussianDropout(rate=rate), place)
    return None


def in_shape_of(k: Call, t: Call) -> Call:
    """PyTorch's call in the shape of Keras's, where one acts on a map and the other flattened.

    Only for layers that treat each entry alone, not for those that drop whole channels. A layer
    that takes another axis for the channels has its arrays transposed.
    """
    elements = {*DROPOUTS, "GaussianNoise"}
    if _transposed(k, t):
        return replace(t, inputs=(_swapped(t.inputs[0]),), output=_swapped(t.output))
    if not {k.layer, t.layer} <= elements or t.output.shape == k.output.shape:
        return t
    if t.output.size != k.output.size or len(t.inputs) != 1 or len(k.inputs) != 1:
        return t
    shape = k.output.shape
    return replace(t, inputs=(t.inputs[0].reshape(shape),), output=t.output.reshape(shape))


def substitute(k: Call, t: Call) -> np.ndarray | None:
    """Keras's output in the shape of PyTorch's; None where that is impossible."""
    return _swapped(k.output) if _transposed(k, t) else as_torch(k.output, t.output, k)


def _transposed(k: Call, t: Call) -> bool:
    """Whether PyTorch drops whole channels of a sequence and takes its steps for channels."""
    if t.layer not in SPATIAL or k.layer not in NOISE or not t.output.ndim == k.output.ndim == 3:
        return False
    x, y = k.inputs[0], t.inputs[0]
    return relative_error(x, _swapped(y)) < relative_error(x, y)


def _swapped(sequence: np.ndarray) -> np.ndarray:
    return np.swapaxes(sequence, 1, 2)


def strength(call: Call) -> float:
    """Rate of a dropout, or standard deviation of added noise."""
    config = call.config
    return float(config.stddev if isinstance(config, dropout.GaussianNoise) else config.rate)


def strength_id(call: Call) -> str:
    """Its id in the catalogue."""
    return "noise.stddev" if call.layer == "GaussianNoise" else "dropout.rate"


def causes_of(
    k: Call, t: Call, actual: np.ndarray, draw: tuple[int, str], limit: float
) -> list[Cause]:
    """Why dropout or noise differs with equal inputs and random numbers; one unknown at worst.

    Args:
        k: the Keras call.
        t: the PyTorch call.
        actual: its output.
        draw: seed and name of the stream that both drew from.
        limit: tolerance for the outputs.
    """
    before = relative_error(k.output, actual)
    keras, torch = _settings(k), _settings(t)
    gaussian = any(one.startswith("Gaussian") for one in (keras["kind"], torch["kind"]))
    ids = {
        "strength": strength_id(k),
        "spatial": "dropout.spatial",
        "kind": "dropout.gaussian" if gaussian else "dropout.kind",
    }

    def error(settings: Mapping[str, Any], expected: np.ndarray) -> float:
        return relative_error(expected, _output(settings, k.inputs[0], draw))

    unknown = [Cause(UNKNOWN, k.name, k.kind, t.kind, Proof(before, before), "forward_train")]
    if error(keras, k.output) > limit:
        return unknown
    if error(torch, actual) > limit:  # it takes another axis for the channels
        ways = (CHANNELS, STEPS, STEPS_AS_CHANNELS, EXAMPLES)
        axes = ({**torch, "spatial": dropped} for dropped in ways)
        other = next((one for one in axes if error(one, actual) <= limit), None)
        if other is None:
            return unknown
        torch = other
        ids["spatial"] = "dropout.axis"
    different = [name for name in keras if keras[name] != torch[name]]
    copied: dict[str, tuple[str, ...]] = {name: (name,) for name in keras}
    if "kind" in different and "GaussianNoise" in (keras["kind"], torch["kind"]):
        copied["kind"] = ("kind", "strength")  # one is a deviation, the other a rate
        different = [name for name in different if name != "strength"]

    def simulate(names: tuple[str, ...]) -> float:
        changes = {name: keras[name] for one in names for name in copied[one]}
        return error({**torch, **changes}, k.output)

    found = smallest_explanation(different, simulate, limit)
    if found is None:
        return unknown
    names, after = found
    proof = Proof(before, after)
    return [
        Cause(ids[one], k.name, keras[one], torch[one], proof, "forward_train") for one in names
    ]


def _settings(call: Call) -> dict[str, Any]:
    spatial = CHANNELS if type(call.config).__name__.startswith("Spatial") else ENTRIES
    kind = "Dropout" if call.layer in SPATIAL else call.layer
    return {"strength": strength(call), "spatial": spatial, "kind": kind}


def _output(settings: Mapping[str, Any], x: np.ndarray, draw: tuple[int, str]) -> np.ndarray:
    """The layer's output with these settings."""
    kind, value = settings["kind"], settings["strength"]
    if kind == "GaussianNoise":
        config: Any = dropout.GaussianNoise(stddev=value)
    elif value < 1.0:
        config = DROPOUTS[kind](rate=value)
    else:
        return np.zeros_like(x)
    if kind.startswith("Gaussian"):
        return dropout.reference(config, {}, x, normal(*draw, 0, x.shape).astype(np.float64))
    if settings["spatial"] == STEPS_AS_CHANNELS:
        drawn = uniform(*draw, 0, (x.shape[0], x.shape[2], x.shape[1])) if x.ndim == 3 else None
        kept = np.ones(x.shape) if drawn is None else np.swapaxes(drawn[:, :1], 1, 2) >= value
        return dropout.reference(config, {}, x, kept)
    kept = uniform(*draw, 0, x.shape) >= value
    one, every = slice(1), slice(None)
    axes = {
        ENTRIES: (),
        CHANNELS: (every, *(one,) * (x.ndim - 2)),
        STEPS: (..., one),
        EXAMPLES: (every, *(one,) * (x.ndim - 1)),
    }
    kept = kept[axes[settings["spatial"]]]
    return dropout.reference(config, {}, x, kept)
