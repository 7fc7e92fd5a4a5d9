"""Faults of losses and penalties, and of weights that are not trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from parity_tests.pairs.faults.small import Training, fault
from parity_tests.pairs.zoo.building import KERAS_2, Net

X = (6, 5)


def logits(L: Any) -> list[Any]:
    return [L.Dense(4, activation="tanh", name="a"), L.Dense(3, name="b")]


def ended(activation: str, units: int = 3) -> Callable[[Any], list[Any]]:
    return lambda L: [L.Dense(4, activation="tanh", name="a"),
                      L.Dense(units, activation=activation, name="b")]  # fmt: skip


def port(*end: nn.Module, units: int = 3) -> nn.Module:
    return nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, units), *end)


def of(kind: str, torch_loss: Callable[..., Tensor], **options: Any) -> Training:
    return lambda keras: (getattr(keras.losses, kind)(**options), torch_loss)


def crossentropy(keras: Any) -> Any:
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True), nn.CrossEntropyLoss()


def penalised(**kinds: Any) -> Callable[[Any], list[Any]]:
    def build(L: Any) -> list[Any]:
        import sys

        keras = sys.modules[L.__name__.split(".")[0]]
        classes = {"l1": keras.regularizers.L1, "l2": keras.regularizers.L2}
        made = {name: classes[kind](0.01) for name, kind in kinds.items()}
        return [L.Dense(4, activation="tanh", name="a", **made), L.Dense(3, name="b")]

    return build


WEIGHTS = [2.0, 1.0, 4.0]


def weighted(keras: Any) -> Callable[..., Any]:
    """The mean over the examples of their cross-entropy times the weight of their class."""
    import tensorflow as tf

    def loss(y: Any, outputs: Any) -> Any:
        y = tf.cast(tf.reshape(y, [-1]), "int32")
        terms = keras.losses.sparse_categorical_crossentropy(y, outputs, from_logits=True)
        return terms * tf.gather(tf.constant(WEIGHTS, terms.dtype), y)

    return loss


NUMBERS: dict[str, Any] = {"targets": (3,), "rung": "loss"}
FAULTS = [
    fault("loss.sum_for_mean", X, logits, port, "", ("loss.reduction",), "loss",
        loss=of("SparseCategoricalCrossentropy", nn.CrossEntropyLoss(reduction="sum"),
                from_logits=True)),
    fault("loss.label_smoothing", X, logits, port, "", ("loss.label_smoothing",), "loss",
        targets="shares", loss=of("CategoricalCrossentropy",
                                  nn.CrossEntropyLoss(label_smoothing=0.1), from_logits=True)),
    fault("loss.labels_not_smoothed", X, logits, port, "", ("loss.label_smoothing",), "loss",
        targets="shares", loss=of("CategoricalCrossentropy", nn.CrossEntropyLoss(),
                                  from_logits=True, label_smoothing=0.1)),
    fault("loss.probabilities_for_logits", X, ended("softmax"), lambda: port(nn.Softmax(-1)), "",
        ("loss.from_logits",), "loss",
        loss=of("SparseCategoricalCrossentropy", nn.CrossEntropyLoss())),
    fault("loss.logits_for_probabilities", X, logits, port, "", ("loss.from_logits",), "loss",
        loss=of("SparseCategoricalCrossentropy", nn.CrossEntropyLoss())),
    fault("loss.probabilities_not_clipped", X,
        lambda L: [*ended("sigmoid")(L), L.Reshape((3,), name="last")],
        lambda: port(nn.Sigmoid()), "", ("loss.categorical_clipping",), "loss", targets="shares",
        loss=of("CategoricalCrossentropy", lambda o, y: -(y * o.log()).sum(-1).mean())),
    fault("loss.class_probability_not_clipped", X,
        lambda L: [L.Dense(3, activation="softmax", name="b"), L.Reshape((3,), name="last")],
        lambda: nn.Sequential(nn.Linear(5, 3), nn.Softmax(-1)), "", ("loss.probability_clipping",),
        "loss", scale=60.0, loss=of("SparseCategoricalCrossentropy",
                                    lambda o, y: F.nll_loss(o.log(), y))),
    fault("loss.binary_not_added_to", X,
        lambda L: [L.Dense(1, activation="sigmoid", name="b"), L.Reshape((1,), name="last")],
        lambda: nn.Sequential(nn.Linear(5, 1), nn.Sigmoid()), "", ("loss.binary_epsilon",), "loss",
        targets="binary", loss=of("BinaryCrossentropy", nn.BCELoss()), flavours=KERAS_2),
    fault("loss.binary_not_clipped", X,
        lambda L: [L.Dense(1, activation="sigmoid", name="b"), L.Reshape((1,), name="last")],
        lambda: nn.Sequential(nn.Linear(5, 1), nn.Sigmoid()), "", ("loss.binary_clipping",), "loss",
        scale=60.0, targets="binary", loss=of("BinaryCrossentropy", nn.BCELoss())),
    fault("loss.binary_of_logits", X, ended("sigmoid", 1), lambda: port(nn.Sigmoid(), units=1), "",
        ("loss.from_logits",), "loss", targets="binary",
        loss=of("BinaryCrossentropy", nn.BCEWithLogitsLoss())),
    fault("loss.squares_summed_over_classes", X, logits, port, "", ("loss.reduction",),
        loss=of("MeanSquaredError", lambda o, y: (o - y).square().sum(-1).mean()), **NUMBERS),
    fault("loss.absolute_for_squares", X, logits, port, "", ("loss.kind",),
        loss=of("MeanSquaredError", nn.L1Loss()), **NUMBERS),
    fault("loss.huber_divided_by_delta", X, logits, port, "", (),
        loss=of("Huber", nn.SmoothL1Loss(beta=0.5), delta=0.5), unnamed="the loss has no formula",
        **NUMBERS),
    fault("loss.huber_delta", X, logits, port, "", ("loss.delta",),
        loss=of("Huber", nn.HuberLoss(delta=0.5)), **NUMBERS),
    fault("loss.target_shape", X, ended("linear", 1), lambda: port(units=1), "",
        ("loss.target_shape",), "loss", targets=(), loss=of("MeanAbsoluteError", nn.L1Loss())),
    fault("loss.weighted_classes", X, logits, port, "", ("loss.class_weight", "loss.sample_weight"),
        "loss", loss=of("SparseCategoricalCrossentropy",
                        nn.CrossEntropyLoss(weight=torch.tensor([1.0, 3.0, 0.5])),
                        from_logits=True)),
    fault("loss.weights_divided_by_their_sum", X, logits, port, "", ("loss.sample_weight",), "loss",
        loss=lambda keras: (weighted(keras), nn.CrossEntropyLoss(weight=torch.tensor(WEIGHTS)))),
    fault("loss.not_reduced", X, logits, port, "", ("loss.reduction",), "loss",
        loss=of("SparseCategoricalCrossentropy", nn.CrossEntropyLoss(reduction="none"),
                from_logits=True)),
    fault("loss.kl_divergence", X, ended("softmax"), lambda: port(nn.Softmax(-1)), "",
        ("loss.kl_divergence",), "loss", targets="shares",
        loss=of("KLDivergence", lambda o, y: (y * (y / o).log()).mean())),
    fault("loss.log_cosh", X, logits, port, "", ("loss.log_cosh",),
        loss=of("LogCosh", lambda o, y: torch.log(torch.cosh(o - y)).mean()), **NUMBERS),
    fault("loss.hinge_labels", X, ended("tanh", 1), lambda: port(nn.Tanh(), units=1), "",
        ("loss.hinge_labels",), "loss", targets="binary",
        loss=of("Hinge", lambda o, y: (1 - y * o).clamp(min=0).mean())),
    fault("loss.poisson_of_logarithms", X, ended("sigmoid"), lambda: port(nn.Sigmoid()), "",
        ("loss.from_logits",), "loss", targets="shares",
        loss=of("Poisson", nn.PoissonNLLLoss(log_input=True))),
    fault("loss.poisson_epsilon", X, ended("sigmoid"), lambda: port(nn.Sigmoid()), "", (), "loss",
        targets="shares", loss=of("Poisson", nn.PoissonNLLLoss(log_input=False)),
        unnamed="the loss has no formula"),
    fault("loss.margins_of_all_classes", X, logits, port, "", (), "loss",
        loss=lambda keras: (
            lambda y, o: keras.losses.CategoricalHinge()(keras.utils.to_categorical(y, 3), o),
            nn.MultiMarginLoss()),
        unnamed="the loss has no formula"),
    fault("loss.similarity_sign", X, logits, port, "", (),
        loss=of("CosineSimilarity", lambda o, y: F.cosine_similarity(o, y).mean()),
        unnamed="the loss has no formula", **NUMBERS),
    fault("l2.factor", X, penalised(kernel_regularizer="l2"), port, "", ("l2.factor",), "loss",
        loss=crossentropy),
    fault("penalty.l1_missing", X, penalised(kernel_regularizer="l1"), port, "",
        ("penalty.missing",), "loss", loss=crossentropy),
    fault("penalty.activity_missing", X, penalised(activity_regularizer="l2"), port, "",
        ("penalty.missing",), "loss", loss=crossentropy),
    fault("parameter.frozen", X, logits,
        lambda: nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3).requires_grad_(False)),
        "b", ("layer.trainable",), "gradients", loss=crossentropy),
    fault("parameter.frozen_in_keras", X,
        lambda L: [L.Dense(4, activation="tanh", trainable=False, name="a"), L.Dense(3, name="b")],
        port, "a", ("layer.trainable",), "gradients", loss=crossentropy),
    fault("gradient.detached", X, logits,
        lambda: Net(lambda self, x: self.b(torch.tanh(self.a(x)).detach()), a=nn.Linear(5, 4),
                    b=nn.Linear(4, 3)), "a", ("gradient.detached",), "gradients",
        loss=crossentropy),
]  # fmt: skip
