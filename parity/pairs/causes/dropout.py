"""Dropout and noise in training: what a port writes out, in Keras's terms, and why two differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from parity.adapters.calls import Call
from parity.adapters.random_draws import normal, uniform
from parity.numerics import tolerance
from parity.numerics.distance import relative_error
from parity.pairs.causes.search import smallest_explanation
from parity.reference.layers import dropout, merging
from parity.verdict.result import UNKNOWN, Cause, Proof

DROPOUTS = {
    one.keras: one for one in (dropout.Dropout, dropout.AlphaDropout, dropout.GaussianDropout)
}
SPATIAL = ("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D")
NOISE = (*DROPOUTS, *SPATIAL, "GaussianNoise")
"""Layers that draw, in Keras's terms."""

LIMITS = {
    "float64": tolerance.FLOAT64["forward_train"].limit,
    "float32": tolerance.ROUNDING_MAX,
}
"""How far from a multiple of what was drawn noise may lie, in its dtype."""

DIGITS = 12
"""Of a deviation that is found in numbers, how many are told; the others are rounding."""


@dataclass(frozen=True)
class Written:
    """A sum or product of a model's code that is noise.

    Attributes:
        number: of its call.
        config: the layer that it is.
        place: of what is noisy among its inputs.
    """

    number: int
    config: dropout.GaussianNoise | dropout.GaussianDropout
    place: int

    def of(self, call: Call) -> Call:
        """The call as that of the layer."""
        inputs, sources = call.inputs[self.place], call.sources[self.place]
        return replace(call, config=self.config, inputs=(inputs,), sources=(sources,))


def written(calls: Sequence[Call], first: int, drawn: np.ndarray) -> Written | None:
    """The first call that adds a multiple of normal numbers, or multiplies by 1 plus such.

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
                return Written(call.number, dropout.GaussianNoise(stddev=stddev), place)
            rate = float(f"{stddev**2 / (1.0 + stddev**2):.{DIGITS}g}")
            return Written(call.number, dropout.GaussianDropout(rate=rate), place)
    return None


def in_shape_of(k: Call, t: Call) -> Call:
    """PyTorch's call in the shape of Keras's, where one acts on a map and the other flattened.

    Both are canonical, and each entry is for itself; channels that drop as a whole are not.
    """
    elements = {*DROPOUTS, "GaussianNoise"}
    if not {k.layer, t.layer} <= elements or t.output.shape == k.output.shape:
        return t
    if t.output.size != k.output.size or len(t.inputs) != 1 or len(k.inputs) != 1:
        return t
    shape = k.output.shape
    return replace(t, inputs=(t.inputs[0].reshape(shape),), output=t.output.reshape(shape))


def strength(call: Call) -> float:
    """Rate of a dropout, standard deviation of noise that is added."""
    config = call.config
    return float(config.stddev if isinstance(config, dropout.GaussianNoise) else config.rate)


def strength_id(call: Call) -> str:
    """What the catalogue calls it."""
    return "noise.stddev" if call.layer == "GaussianNoise" else "dropout.rate"


def causes_of(
    k: Call, t: Call, forced: np.ndarray, draw: tuple[int, str], limit: float
) -> list[Cause]:
    """Why dropout or noise differs that is fed the same and draws the same; one unknown at worst.

    Args:
        k: the Keras call.
        t: the PyTorch call.
        forced: what it gave.
        draw: seed and name of what both drew.
        limit: how far the outputs may stand apart.
    """
    before = relative_error(k.output, forced)
    own, other = _settings(k), _settings(t)
    gaussian = any(one.startswith("Gaussian") for one in (own["kind"], other["kind"]))
    ids = {
        "strength": strength_id(k),
        "spatial": "dropout.spatial",
        "kind": "dropout.gaussian" if gaussian else "dropout.kind",
    }

    def away(settings: Mapping[str, Any], wanted: np.ndarray) -> float:
        return relative_error(wanted, _gave(settings, k.inputs[0], draw))

    unknown = [Cause(UNKNOWN, k.name, k.kind, t.kind, Proof(before, before), "forward_train")]
    if away(own, k.output) > limit or away(other, forced) > limit:
        return unknown
    parted = [name for name in own if own[name] != other[name]]
    taken: dict[str, tuple[str, ...]] = {name: (name,) for name in own}
    if "kind" in parted and "GaussianNoise" in (own["kind"], other["kind"]):
        taken["kind"] = ("kind", "strength")  # a deviation here and a rate there
        parted = [name for name in parted if name != "strength"]

    def simulate(names: tuple[str, ...]) -> float:
        given = {name: own[name] for one in names for name in taken[one]}
        return away({**other, **given}, k.output)

    found = smallest_explanation(parted, simulate, limit)
    if found is None:
        return unknown
    names, after = found
    proof = Proof(before, after)
    return [Cause(ids[one], k.name, own[one], other[one], proof, "forward_train") for one in names]


def _settings(call: Call) -> dict[str, Any]:
    spatial = type(call.config).__name__.startswith("Spatial")
    kind = "Dropout" if call.layer in SPATIAL else call.layer
    return {"strength": strength(call), "spatial": spatial, "kind": kind}


def _gave(settings: Mapping[str, Any], x: np.ndarray, draw: tuple[int, str]) -> np.ndarray:
    """What the layer gives with these settings."""
    kind, value = settings["kind"], settings["strength"]
    if kind == "GaussianNoise":
        config: Any = dropout.GaussianNoise(stddev=value)
    elif value < 1.0:
        config = DROPOUTS[kind](rate=value)
    else:
        return np.zeros_like(x)
    if kind.startswith("Gaussian"):
        return dropout.reference(config, {}, x, normal(*draw, 0, x.shape).astype(np.float64))
    kept = uniform(*draw, 0, x.shape) >= value
    if settings["spatial"]:
        kept = kept[(slice(None), *(slice(1),) * (x.ndim - 2))]
    return dropout.reference(config, {}, x, kept)
