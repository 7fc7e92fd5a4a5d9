"""Rotary position embedding, which neither framework has as a layer.

Sources: Su et al., "RoFormer", 2021, section 3.2.2; the two ways to pair the features are those of
GPT-NeoX (halves) and GPT-J (neighbours).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from parity.reference.difference import Difference
from parity.reference.layers.kinds import fitted, layer_kind


@layer_kind("rotary", ids={"interleaved": "rotary.pairs"})
@dataclass(frozen=True, kw_only=True)
class Rotary:
    """Rotation of pairs of features by an angle that grows with the position.

    Attributes:
        base: pair i of D/2 turns by base^(−2i/D) per position.
        interleaved: whether pairs are neighbours, (0, 1), (2, 3), …; else feature i and D/2 + i.
        reverse: whether it turns the other way.
        axis: of the positions.
    """

    keras: ClassVar[str] = "rotary embedding"
    base: float
    interleaved: bool
    reverse: bool
    axis: int


KERAS_DEFAULTS: dict[str, dict[str, Any]] = {}
TORCH_DEFAULTS: dict[str, dict[str, Any]] = {}


def reference(config: Rotary, weights: Mapping[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    """Each pair of features, as a complex number, times e^(i·angle).

    Args:
        config: the layer.
        weights: none.
        x: (N, …, D), with the positions, from 0, along ``config.axis``.
    """
    half = x.shape[-1] // 2
    rates = config.base ** -(np.arange(half) / half)
    angles = np.arange(x.shape[config.axis])[:, None] * rates * (-1.0 if config.reverse else 1.0)
    shape = [1] * x.ndim
    shape[config.axis], shape[-1] = angles.shape
    turned = _pairs(x, config.interleaved) * np.exp(1j * angles).reshape(shape)
    if config.interleaved:
        return np.stack([turned.real, turned.imag], -1).reshape(x.shape)
    return np.concatenate([turned.real, turned.imag], -1)


def _pairs(x: np.ndarray, interleaved: bool) -> np.ndarray:
    half = x.shape[-1] // 2
    if interleaved:
        return np.asarray(x[..., ::2] + 1j * x[..., 1::2])
    return np.asarray(x[..., :half] + 1j * x[..., half:])


def recognized(x: np.ndarray, y: np.ndarray) -> Rotary | None:
    """The rotation that gives y for x; None if there is none."""
    if x.shape != y.shape or x.ndim not in (3, 4) or x.shape[-1] % 2 or x.shape[-1] < 4:
        return None
    if not np.allclose((x**2).sum(-1), (y**2).sum(-1), rtol=NORM) or np.array_equal(x, y):
        return None
    for axis, interleaved in itertools.product(range(1, x.ndim - 1), (False, True)):
        found = _rotation(x, y, axis, interleaved)
        if found and np.abs(reference(found, {}, x) - y).max() <= NORM * np.abs(y).max():
            return found
    return None


def _rotation(x: np.ndarray, y: np.ndarray, axis: int, interleaved: bool) -> Rotary | None:
    """By what the second position is turned: the first pair by 1, the second by base^(−2/D)."""
    if x.shape[axis] < 2:
        return None
    before, after = (_pairs(one.take(1, axis)[0], interleaved).reshape(-1) for one in (x, y))
    half = x.shape[-1] // 2
    if not before[:half].all():
        return None
    angles = np.angle(after[:half] / before[:half])
    if not np.isclose(abs(angles[0]), 1.0, atol=NORM) or angles[1] == 0.0:
        return None
    base = float(abs(angles[1]) ** -half)
    near = float(f"{base:.6g}")
    base = near if np.isclose(base, near, rtol=1e-7) else base
    return Rotary(base=base, interleaved=interleaved, reverse=bool(angles[0] < 0), axis=axis)


NORM = 1e-9
"""The relative error of a rotation, in float64."""


@fitted(Rotary)
def _fitted(config: Rotary, x: np.ndarray, y: np.ndarray) -> Rotary | None:
    return recognized(x, y)


DIFFERENCES = (
    Difference(
        id="rotary.pairs",
        kind="rotary",
        title="rotary embedding: pairs of neighbours, or of halves",
        what="KerasHub, LLaMA in transformers and GPT-NeoX pair feature i with D/2 + i. GPT-J, the "
        "original LLaMA and RoFormer pair 2i with 2i + 1.",
        why="Both are the published method. Checkpoints fit only one, unless the rows of the query "
        "and key kernels are reordered.",
        to_torch="a, b = x.chunk(2, -1); torch.cat([a*cos - b*sin, b*cos + a*sin], -1)",
        to_keras="a, b = x[..., ::2], x[..., 1::2]; ops.stack([a*cos - b*sin, a*sin + b*cos], -1), "
        "reshaped",
        size=1,
        measured="5 positions of 6 features",
        rung="forward_eval",
        source="torch/nn/functional.py",
    ),
)
