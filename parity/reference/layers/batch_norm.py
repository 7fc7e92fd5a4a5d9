"""Batch normalisation.

Sources: Ioffe and Szegedy, "Batch normalization", 2015, algorithm 1;
``tf_keras/src/layers/normalization/batch_normalization.py`` and
``keras/src/layers/normalization/batch_normalization.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from parity.reference.difference import Difference
from parity.reference.layers.kinds import layer_kind


@layer_kind(
    "batch_norm",
    weights=("gamma", "beta", "moving_mean", "moving_variance"),
    ids={"mask": "batch_norm.mask", "track_running_stats": "batch_norm.running_statistics"},
    family="normalization",
)
@dataclass(frozen=True, kw_only=True)
class BatchNorm:
    """Normalisation by the batch statistics in training, otherwise by the running ones.

    Without ``track_running_stats``, which only PyTorch has, evaluation uses the batch's too.
    """

    keras: ClassVar[str] = "BatchNormalization"
    axis: int
    momentum: float
    epsilon: float
    center: bool
    scale: bool
    track_running_stats: bool = True


KERAS_DEFAULTS: dict[str, dict[str, Any]] = {
    "BatchNormalization": {
        "axis": -1,
        "momentum": 0.99,
        "epsilon": 1e-3,
        "center": True,
        "scale": True,
    }
}

_OF_TORCH = {"eps": 1e-5, "momentum": 0.1, "affine": True, "track_running_stats": True}
TORCH_DEFAULTS: dict[str, dict[str, Any]] = {
    "BatchNorm1d": _OF_TORCH,
    "BatchNorm2d": _OF_TORCH,
    "BatchNorm3d": _OF_TORCH,
}


def reference(
    config: BatchNorm,
    weights: Mapping[str, np.ndarray],
    x: np.ndarray,
    training: bool = False,
    mask: np.ndarray | None = None,
    flavour: str = "tf_keras",
) -> np.ndarray:
    """γ·(x − mean)/√(variance + ε) + β, over all axes except ``config.axis``.

    Args:
        config: the layer.
        weights: moving_mean and moving_variance (C,); gamma and beta (C,) if used.
        x: of any shape with C entries along ``config.axis``.
        training: whether to use the batch's mean and biased variance.
        mask: bool (N, T): the steps that count for the statistics; None for all.
        flavour: the Keras version; Keras 3 adds 1e-7 to the number of valid steps.

    Returns:
        x's shape.
    """
    x = np.moveaxis(x, config.axis, -1)
    if training or not config.track_running_stats:
        counted = (x if mask is None else x[mask]).reshape(-1, x.shape[-1])
        count = len(counted) + (1e-7 if mask is not None and flavour == "keras3" else 0.0)
        mean = counted.sum(0) / count
        variance = ((counted - mean) ** 2).sum(0) / count
    else:
        mean, variance = weights["moving_mean"], weights["moving_variance"]
    y = (x - mean) / np.sqrt(variance + config.epsilon)
    y = y * weights.get("gamma", 1.0) + weights.get("beta", 0.0)
    return np.asarray(np.moveaxis(y, -1, config.axis))


def moved(config: BatchNorm, before: np.ndarray, fed: np.ndarray) -> np.ndarray:
    """A running statistic after a training step; momentum is the weight of the old value.

    Args:
        config: the layer.
        before: (C,), the old value.
        fed: (C,), the batch's mean or variance; for which variance see
            ``batch_norm.running_variance`` below.
    """
    return np.asarray(before * config.momentum + fed * (1.0 - config.momentum))


_FILE = "keras/src/layers/normalization/batch_normalization.py"

DIFFERENCES = (
    Difference(
        id="batch_norm.epsilon",
        kind="batch_norm",
        title="1e-3 in Keras, 1e-5 in PyTorch",
        what="Both add ε to the variance before taking the root; the defaults are 1e-3 and 1e-5.",
        why="Each framework chose its own default. Channels with a small variance show it most.",
        to_torch="nn.BatchNorm2d(channels, eps=1e-3)",
        to_keras="BatchNormalization(epsilon=1e-5)",
        size=0.004,
        measured="evaluation, 3 channels with variances of 0.1 to 1",
        rung="forward_eval",
        source=_FILE,
    ),
    Difference(
        id="batch_norm.momentum",
        kind="batch_norm",
        title="weight of the old value in Keras, of the new one in PyTorch",
        what="Keras: running ← 0.99·running + 0.01·batch. PyTorch's momentum multiplies the batch "
        "statistic, and defaults to 0.1.",
        why="The same name has opposite meanings. With 0.99 copied, PyTorch keeps almost nothing "
        "of the old value.",
        to_torch="momentum=1 − Keras's; 0.01 for Keras's default",
        to_keras="momentum=1 − PyTorch's; 0.9 for PyTorch's default",
        size=3,
        measured="running mean after one training step, momentum=0.99 copied",
        rung="step",
        latent=True,
        source=_FILE,
    ),
    Difference(
        id="batch_norm.running_statistics",
        kind="batch_norm",
        title="PyTorch can normalise by the batch in evaluation, Keras cannot",
        what="With track_running_stats=False, nn.BatchNorm2d has no running statistics and "
        "normalises by those of the batch, in evaluation as well.",
        why="The option is PyTorch's alone; each example's output then depends on the others.",
        to_torch="nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)",
        to_keras="BatchNormalization called with training=True",
        size=1,
        measured="evaluation, 8 examples of 3 normal numbers",
        rung="forward_eval",
        source="torch/nn/modules/batchnorm.py",
    ),
    Difference(
        id="batch_norm.running_variance",
        kind="batch_norm",
        title="biased in Keras, unbiased in PyTorch",
        what="PyTorch updates the running variance with n/(n − 1) times the batch variance, Keras "
        "3 with the batch variance itself. Keras 2 does the same as PyTorch in its fused kernel "
        "(4-D, float32) and the same as Keras 3 otherwise (2-D, 3-D, float64).",
        why="Normalisation itself uses the biased variance in both, so only the running variance "
        "differs, and only small batches show it.",
        to_torch="update it yourself: var.lerp_(x.var(unbiased=False), 1 − momentum); with Keras 2 "
        "and float32 images nn.BatchNorm2d needs no change",
        to_keras="no option does it; subclass the layer and multiply by n/(n − 1)",
        size=0.02,
        measured="running variance after one step on 8 examples of 3 features, momentum 0.99",
        rung="step",
        latent=True,
        source="tf_keras/src/layers/normalization/batch_normalization.py (_fused_batch_norm)",
    ),
    Difference(
        id="batch_norm.batch_of_one",
        kind="batch_norm",
        title="a single value per channel raises in PyTorch",
        what="With one value per channel in training, Keras returns β (the variance is zero); "
        "PyTorch raises ValueError.",
        why="PyTorch checks for it. It occurs with the last, incomplete batch of an epoch.",
        to_torch="compute the formula yourself, or drop the incomplete batch in both",
        size=float("inf"),
        measured="one example of 3 features in training: ValueError",
        rung="forward_train",
        latent=True,
        source="torch/nn/functional.py (_verify_batch_size)",
    ),
    Difference(
        id="batch_norm.mask",
        kind="batch_norm",
        title="Keras excludes masked steps from the statistics",
        what="With a mask from a Masking layer or an Embedding with mask_zero, Keras computes mean "
        "and variance over the valid steps only. PyTorch has no masks.",
        why="Keras's layers pass their mask on implicitly.",
        to_torch="compute the statistics of x[mask], then normalise every step with them; Keras 3 "
        "adds 1e-7 to the number of valid steps",
        size=0.2,
        measured="training output, 4 sequences of 2 to 5 steps padded with zeros",
        rung="forward_train",
        latent=True,
        source=_FILE,
    ),
    Difference(
        id="batch_norm.axis",
        kind="batch_norm",
        title="channels are the last axis in Keras, the second in PyTorch",
        what="Keras normalises the last axis, nn.BatchNorm1d the second. If there are as many "
        "steps as channels, PyTorch accepts (N, T, C) and normalises the steps.",
        why="The frameworks use different native layouts; only unequal sizes raise an error.",
        to_torch="x.transpose(1, 2) before nn.BatchNorm1d and after it",
        to_keras="BatchNormalization(axis=1)",
        size=2,
        measured="evaluation, 5 steps of 5 channels",
        rung="forward_eval",
        source=_FILE,
    ),
    Difference(
        id="batch_norm.frozen",
        kind="batch_norm",
        title="trainable=False in Keras also disables the batch statistics",
        what="A frozen BatchNormalization runs in evaluation mode, even with training=True. "
        "requires_grad_(False) freezes only γ and β: PyTorch still normalises with the batch "
        "statistics and updates the running ones.",
        why="A special rule since TensorFlow 2; it matters in transfer learning.",
        to_torch="call module.eval() on the frozen modules after every model.train()",
        to_keras="leave trainable=True and exclude γ and β from the optimizer",
        size=0.6,
        measured="training output, 8 examples of 3 features",
        rung="forward_train",
        latent=True,
        source=_FILE,
    ),
)
