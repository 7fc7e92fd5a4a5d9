"""Demonstrations of the differences between losses and penalties, by id."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from parity.constants import as_float32
from parity.reference.layers.activations import sigmoid, softmax
from parity_tests.catalogue import Demonstration, Shown
from parity_tests.catalogue.frameworks import gradient, n, normal, t
from torch_impl import nn

LABELS = np.array([0, 3, 1, 4, 2, 2])
MILD, EXTREME = normal(6, 5), normal(6, 5) * 30
BITS = (normal(6, 5, seed=4) > 0).astype(float)


def in_keras(
    kind: str, target: np.ndarray, outputs: np.ndarray, weight: Any = None, **given: Any
) -> np.ndarray:
    """Keras's losses of the examples, or their weighted mean."""
    from keras_impl.framework import keras, set_dtype, tf

    set_dtype("float64")
    reduction = "none" if weight is None else "sum_over_batch_size"
    loss = getattr(keras.losses, kind)(reduction=reduction, **given)
    return loss(tf.constant(target), tf.constant(outputs), sample_weight=weight).numpy()


def ours(kind: str, target: np.ndarray, outputs: np.ndarray, flavour: str) -> np.ndarray:
    """The losses of the examples by the class of the same name in ``torch_impl.nn``."""
    return n(getattr(nn, kind)(reduction="none", flavour=flavour)(t(outputs), t(target)))


SPARSE = "SparseCategoricalCrossentropy"


def from_logits(flavour: str) -> Shown:
    p = softmax(MILD)
    naive = F.cross_entropy(t(p), t(LABELS), reduction="none")
    return Shown(in_keras(SPARSE, LABELS, p), n(naive), ours(SPARSE, LABELS, p, flavour))


def logits_behind_softmax(flavour: str) -> Shown:
    from keras_impl.framework import keras, set_dtype, tf

    set_dtype("float64")
    loss = keras.losses.SparseCategoricalCrossentropy(reduction="none")
    softmax_layer = keras.layers.Activation("softmax")

    @tf.function
    def model_and_loss(x: Any) -> Any:
        return loss(tf.constant(LABELS), softmax_layer(x))

    clipped = t(softmax(EXTREME)).clamp(1e-7, 1 - 1e-7)
    return Shown(
        model_and_loss(tf.constant(EXTREME)).numpy(),
        n(F.nll_loss(clipped.log(), t(LABELS), reduction="none")),
        n(F.cross_entropy(t(EXTREME), t(LABELS), reduction="none")),
    )


def probability_clipping(flavour: str) -> Shown:
    p = softmax(EXTREME)
    naive = F.nll_loss(t(p).log(), t(LABELS), reduction="none")
    return Shown(in_keras(SPARSE, LABELS, p), n(naive), ours(SPARSE, LABELS, p, flavour))


def categorical_clipping(flavour: str) -> Shown:
    p, one_hot = softmax(EXTREME), np.eye(5)[LABELS]
    naive = F.cross_entropy(t(p).clamp(1e-7, 1 - 1e-7).log(), t(LABELS), reduction="none")
    kind = "CategoricalCrossentropy"
    return Shown(in_keras(kind, one_hot, p), n(naive), ours(kind, one_hot, p, flavour))


def binary(p: np.ndarray, flavour: str, naive: Any) -> Shown:
    kind = "BinaryCrossentropy"
    return Shown(in_keras(kind, BITS, p), n(naive.mean(1)), ours(kind, BITS, p, flavour))


def binary_clipping(flavour: str) -> Shown:
    p = (MILD > 0).astype(float)
    return binary(p, flavour, F.binary_cross_entropy(t(p), t(BITS), reduction="none"))


def binary_epsilon(flavour: str) -> Shown:
    p = sigmoid(MILD)
    return binary(p, flavour, F.binary_cross_entropy(t(p), t(BITS), reduction="none"))


def sample_weight(flavour: str) -> Shown:
    weight = np.arange(1.0, 6.0)
    naive = F.cross_entropy(t(MILD), t(LABELS), t(weight))
    keras = in_keras(SPARSE, LABELS, MILD, weight[LABELS], from_logits=True)
    each = F.cross_entropy(t(MILD), t(LABELS), reduction="none")
    return Shown(keras, n(naive), n((t(weight)[t(LABELS)] * each).sum() / 6))


def kl_divergence(flavour: str) -> Shown:
    p, q = softmax(MILD), softmax(normal(6, 5, seed=3))
    keras = in_keras("KLDivergence", q, p, np.ones(6))
    naive = F.kl_div(t(p).log(), t(q), reduction="none").mean()
    return Shown(keras, n(naive), n(F.kl_div(t(p).log(), t(q), reduction="batchmean")))


def log_cosh(flavour: str) -> Shown:
    away = t(MILD - BITS)
    twice = away + F.softplus(-2 * away, threshold=40)
    ports = [n((twice - log_2).mean(1)) for log_2 in (np.log(2), as_float32(np.log(2)))]
    return Shown(in_keras("LogCosh", BITS, MILD), *ports)


def hinge_labels(flavour: str) -> Shown:
    ports = [n((1 - y * t(MILD)).relu().mean(1)) for y in (t(BITS), t(2 * BITS - 1))]
    return Shown(in_keras("Hinge", BITS, MILD), *ports)


def epoch_mean(flavour: str) -> Shown:
    from keras_impl.framework import keras, set_dtype

    set_dtype("float64")
    x, y = normal(10, 5), normal(10, 1, seed=3)
    model = keras.Sequential([keras.layers.Dense(1)])
    model.build((None, 5))
    model.set_weights([normal(5, 1, seed=4), np.ones(1)])
    model.compile(optimizer=keras.optimizers.SGD(0.0), loss="mean_squared_error")
    history = model.fit(x, y, batch_size=4, shuffle=False, verbose=0).history["loss"]
    kernel, bias = map(t, model.get_weights())
    each = (t(x) @ kernel + bias - t(y)).square()
    batches = torch.stack([batch.mean() for batch in each.split(4)])
    return Shown(np.array(history), n(batches.mean())[None], n(each.mean())[None])


def l2_factor(flavour: str) -> Shown:
    from keras_impl.framework import keras, set_dtype

    set_dtype("float64")
    w = normal(5, 3)
    leaf = t(w).requires_grad_()
    nn.L2(0.01, flavour=flavour)(leaf).backward()
    assert isinstance(leaf.grad, torch.Tensor)
    return Shown(gradient(keras.regularizers.L2(0.01), w), 0.01 * w, n(leaf.grad))


DEMONSTRATIONS: dict[str, Demonstration] = {
    "loss.from_logits": from_logits,
    "loss.logits_behind_softmax": logits_behind_softmax,
    "loss.probability_clipping": probability_clipping,
    "loss.categorical_clipping": categorical_clipping,
    "loss.binary_clipping": binary_clipping,
    "loss.binary_epsilon": binary_epsilon,
    "loss.sample_weight": sample_weight,
    "loss.epoch_mean": epoch_mean,
    "loss.kl_divergence": kl_divergence,
    "loss.log_cosh": log_cosh,
    "loss.hinge_labels": hinge_labels,
    "l2.factor": l2_factor,
}
