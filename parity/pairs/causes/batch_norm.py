"""Causes in batch norm in training: the running statistics, a mask, or one of the two is frozen."""

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
    """Weight of a batch's statistic in the running one, as this Keras computes it."""
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

    No cause where the inputs differ and the computation is the same.

    Args:
        k: the Keras call, in training.
        t: the PyTorch call, in training.
        name: of the statistic.
        old: its value before the step, of both.
        after: its values after the step, Keras's and PyTorch's.
        flavour: the Keras.
        limit: tolerance for the two.
    """
    before = relative_error(*after)
    keras: dict[str, Any] = {"momentum": share(k.config, flavour), "variance": _kind(k, flavour)}
    torch: dict[str, Any] = {"momentum": 1.0 - t.config.momentum, "variance": "unbiased"}
    unknown = [Cause(UNKNOWN, k.name, k.kind, t.kind, Proof(before, before), "step")]
    if relative_error(after[1], _updated(t, name, old, torch)) > limit:
        return unknown
    torch["momentum"] = _as_keras(keras["momentum"], torch["momentum"])
    if relative_error(after[0], _updated(k, name, old, torch)) <= limit:
        return []  # only their inputs differ

    def simulate(names: tuple[str, ...]) -> float:
        settings = {**torch, **{one: keras[one] for one in names}}
        return relative_error(after[0], _updated(k, name, old, settings))

    different = [one for one in IDS if keras[one] != torch[one]]
    found = smallest_explanation(different, simulate, limit)
    if found is None:
        return unknown
    names, residual = found
    keras["momentum"], torch["momentum"] = k.config.momentum, t.config.momentum  # as users set them
    proof = Proof(before, residual)
    return [Cause(IDS[one], k.name, keras[one], torch[one], proof, "step") for one in names]


def _as_keras(keras: float, torch: float) -> float:
    """PyTorch's constant; Keras's where both are the same once rounded to float32."""
    return keras if as_float32(keras) == as_float32(torch) else torch


def _kind(k: Call, flavour: str) -> str:
    fused = flavour == "tf_keras" and k.inputs[0].ndim == 4
    return "unbiased" if fused else "biased"


def _updated(call: Call, name: str, old: np.ndarray, settings: Mapping[str, Any]) -> np.ndarray:
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
    actual: np.ndarray,
    first: Mapping[str, np.ndarray],
    flavour: str,
    limit: float,
) -> list[Cause]:
    """Why a batch norm differs in training alone: one is frozen, or masked; else one unknown.

    Args:
        k: the Keras call, in training.
        t: the PyTorch call.
        actual: its output for the same input.
        first: weights and statistics before the call.
        flavour: the Keras.
        limit: tolerance for the outputs.
    """
    before = relative_error(k.output, actual)
    x = k.inputs[0]
    mask = k.options.get("mask")

    def output(training: bool, steps: np.ndarray | None = None) -> np.ndarray:
        return batch_norm.reference(
            k.config, first, x, training=training, mask=steps, flavour=flavour
        )

    frozen, trained = "as in evaluation", "the batch's statistics"
    tried = [
        ("batch_norm.frozen", output(False), output(True), (frozen, trained)),
        ("batch_norm.frozen", output(True, mask), output(False), (trained, frozen)),
        ("batch_norm.mask", output(True, mask), output(True), ("steps that count", "all steps")),
    ]
    for name, keras, torch, values in tried:
        after = relative_error(k.output, keras)
        if max(after, relative_error(actual, torch)) <= limit:
            return [Cause(name, k.name, *values, Proof(before, after), "forward_train")]
    proof = Proof(before, before)
    return [Cause(UNKNOWN, k.name, k.kind, t.kind, proof, "forward_train")]
