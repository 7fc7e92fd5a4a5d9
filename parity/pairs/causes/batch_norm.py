"""Why batch norm differs in training: its running statistics, or one of the two is frozen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from parity.adapters.calls import Call
from parity.constants import as_float32
from parity.numerics.distance import relative_error
from parity.pairs.causes.search import smallest_explanation
from parity.reference.layers import batch_norm
from parity.verdict.result import UNKNOWN, Cause, Proof

STATISTICS = ("moving_mean", "moving_variance")
IDS = {"momentum": "batch_norm.momentum", "variance": "batch_norm.running_variance"}


def share(config: Any, flavour: str) -> float:
    """Share of a batch's statistic that enters the running one, as this Keras computes it."""
    return as_float32(1.0 - config.momentum) if flavour == "tf_keras" else 1.0 - config.momentum


def statistics_causes(
    k: Call,
    t: Call,
    name: str,
    old: np.ndarray,
    after: tuple[np.ndarray, np.ndarray],
    flavour: str,
    limit: float,
) -> list[Cause]:
    """Why a running statistic differs after one step; one unknown where no setting explains it.

    None where the two were fed otherwise and do the same.

    Args:
        k: the Keras call, in training.
        t: the PyTorch call, in training.
        name: of the statistic.
        old: it, before the step, of both.
        after: it, of Keras and of PyTorch, after the step.
        flavour: the Keras.
        limit: how far the two may stand apart.
    """
    before = relative_error(*after)
    own: dict[str, Any] = {"momentum": share(k.config, flavour), "variance": _kind(k, flavour)}
    other: dict[str, Any] = {"momentum": 1.0 - t.config.momentum, "variance": "unbiased"}
    unknown = [Cause(UNKNOWN, k.name, k.kind, t.kind, Proof(before, before), "step")]
    if relative_error(after[1], _moved(t, name, old, other)) > limit:
        return unknown
    other["momentum"] = _as_keras(own["momentum"], other["momentum"])
    if relative_error(after[0], _moved(k, name, old, other)) <= limit:
        return []  # only what they were fed differs

    def simulate(names: tuple[str, ...]) -> float:
        settings = {**other, **{one: own[one] for one in names}}
        return relative_error(after[0], _moved(k, name, old, settings))

    found = smallest_explanation([one for one in IDS if own[one] != other[one]], simulate, limit)
    if found is None:
        return unknown
    names, residual = found
    own["momentum"], other["momentum"] = k.config.momentum, t.config.momentum  # as users set them
    proof = Proof(before, residual)
    return [Cause(IDS[one], k.name, own[one], other[one], proof, "step") for one in names]


def _as_keras(own: float, other: float) -> float:
    """A constant that is Keras's once rounded is Keras's."""
    return own if as_float32(own) == as_float32(other) else other


def _kind(k: Call, flavour: str) -> str:
    fused = flavour == "tf_keras" and k.inputs[0].ndim == 4
    return "unbiased" if fused else "biased"


def _moved(call: Call, name: str, old: np.ndarray, settings: Mapping[str, Any]) -> np.ndarray:
    x = call.inputs[0]
    axes = tuple(range(x.ndim - 1))
    count = x.size // x.shape[-1]
    new = x.mean(axes) if name == "moving_mean" else x.var(axes)
    if name == "moving_variance" and settings["variance"] == "unbiased":
        new = new * (count / max(count - 1, 1))
    return np.asarray(old + (new - old) * settings["momentum"])


def norm_causes(
    k: Call,
    t: Call,
    forced: np.ndarray,
    first: Mapping[str, np.ndarray],
    flavour: str,
    limit: float,
) -> list[Cause]:
    """Why a batch norm differs in training alone: one is frozen, or masked; else one unknown.

    Args:
        k: the Keras call, in training.
        t: the PyTorch call.
        forced: what it gave for the same input.
        first: weights and statistics before the call.
        flavour: the Keras.
        limit: how far the outputs may stand apart.
    """
    before = relative_error(k.output, forced)
    x = k.inputs[0]
    mask = k.options.get("mask")

    def given(training: bool, steps: np.ndarray | None = None) -> np.ndarray:
        return batch_norm.reference(
            k.config, first, x, training=training, mask=steps, flavour=flavour
        )

    frozen, trained = "as in evaluation", "the batch's statistics"
    tried = [
        ("batch_norm.frozen", given(False), given(True), (frozen, trained)),
        ("batch_norm.frozen", given(True, mask), given(False), (trained, frozen)),
        ("batch_norm.mask", given(True, mask), given(True), ("steps that count", "all steps")),
    ]
    for name, own, other, values in tried:
        after = relative_error(k.output, own)
        if max(after, relative_error(forced, other)) <= limit:
            return [Cause(name, k.name, *values, Proof(before, after), "forward_train")]
    proof = Proof(before, before)
    return [Cause(UNKNOWN, k.name, k.kind, t.kind, proof, "forward_train")]
