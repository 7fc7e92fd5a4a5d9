"""Faults of losses and penalties, and of what is kept from training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from parity_tests.pairs.faults.planted.row import Losses, Row
from parity_tests.pairs.zoo.building import KERAS_2, Net

X = (6, 5)


def logits(L: Any) -> list[Any]:
    return [L.Dense(4, activation="tanh", name="a"), L.Dense(3, name="b")]


def ended(activation: str, units: int = 3) -> Callable[[Any], list[Any]]:
    return lambda L: [L.Dense(4, activation="tanh", name="a"),
                      L.Dense(units, activation=activation, name="b")]  # fmt: skip


def port(*end: nn.Module, units: int = 3) -> nn.Module:
    return nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, units), *end)


def of(kind: str, other: Callable[..., Tensor], **given: Any) -> Losses:
    return lambda keras: (getattr(keras.losses, kind)(**given), other)


def crossentropy(keras: Any) -> Any:
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True), nn.CrossEntropyLoss()


def penalised(**given: Any) -> Callable[[Any], list[Any]]:
    def build(L: Any) -> list[Any]:
        import sys

        keras = sys.modules[L.__name__.split(".")[0]]
        kinds = {"l1": keras.regularizers.L1, "l2": keras.regularizers.L2}
        made = {name: kinds[kind](0.01) for name, kind in given.items()}
        return [L.Dense(4, activation="tanh", name="a", **made), L.Dense(3, name="b")]

    return build


NUMBERS: dict[str, Any] = {"targets": (3,), "rung": "loss"}
FAULTS = [
    Row("loss.sum_for_mean", X, logits, port, "", ("loss.reduction",), "loss",
        loss=of("SparseCategoricalCrossentropy", nn.CrossEntropyLoss(reduction="sum"),
                from_logits=True)),
    Row("loss.label_smoothing", X, logits, port, "", ("loss.label_smoothing",), "loss",
        targets="shares", loss=of("CategoricalCrossentropy",
                                  nn.CrossEntropyLoss(label_smoothing=0.1), from_logits=True)),
    Row("loss.labels_not_smoothed", X, logits, port, "", ("loss.label_smoothing",), "loss",
        targets="shares", loss=of("CategoricalCrossentropy", nn.CrossEntropyLoss(),
                                  from_logits=True, label_smoothing=0.1)),
    Row("loss.probabilities_for_logits", X, ended("softmax"), lambda: port(nn.Softmax(-1)), "",
        ("loss.from_logits",), "loss",
        loss=of("SparseCategoricalCrossentropy", nn.CrossEntropyLoss())),
    Row("loss.logits_for_probabilities", X, logits, port, "", ("loss.from_logits",), "loss",
        loss=of("SparseCategoricalCrossentropy", nn.CrossEntropyLoss())),
    Row("loss.probabilities_not_clipped", X,
        lambda L: [*ended("sigmoid")(L), L.Reshape((3,), name="last")],
        lambda: port(nn.Sigmoid()), "", ("loss.categorical_clipping",), "loss", targets="shares",
        loss=of("CategoricalCrossentropy", lambda o, y: -(y * o.log()).sum(-1).mean())),
    Row("loss.class_probability_not_clipped", X,
        lambda L: [L.Dense(3, activation="softmax", name="b"), L.Reshape((3,), name="last")],
        lambda: nn.Sequential(nn.Linear(5, 3), nn.Softmax(-1)), "", ("loss.probability_clipping",),
        "loss", scale=60.0, loss=of("SparseCategoricalCrossentropy",
                                    lambda o, y: F.nll_loss(o.log(), y))),
    Row("loss.binary_not_added_to", X,
        lambda L: [L.Dense(1, activation="sigmoid", name="b"), L.Reshape((1,), name="last")],
        lambda: nn.Sequential(nn.Linear(5, 1), nn.Sigmoid()), "", ("loss.binary_epsilon",), "loss",
        targets="binary", loss=of("BinaryCrossentropy", nn.BCELoss()), flavours=KERAS_2),
    Row("loss.binary_not_clipped", X,
        lambda L: [L.Dense(1, activation="sigmoid", name="b"), L.Reshape((1,), name="last")],
        lambda: nn.Sequential(nn.Linear(5, 1), nn.Sigmoid()), "", ("loss.binary_clipping",), "loss",
        scale=60.0, targets="binary", loss=of("BinaryCrossentropy", nn.BCELoss())),
    Row("loss.binary_of_logits", X, ended("sigmoid", 1), lambda: port(nn.Sigmoid(), units=1), "",
        ("loss.from_logits",), "loss", targets="binary",
        loss=of("BinaryCrossentropy", nn.BCEWithLogitsLoss())),
    Row("loss.squares_summed_over_classes", X, logits, port, "", ("loss.reduction",),
        loss=of("MeanSquaredError", lambda o, y: (o - y).square().sum(-1).mean()), **NUMBERS),
    Row("loss.absolute_for_squares", X, logits, port, "", ("loss.kind",),
        loss=of("MeanSquaredError", nn.L1Loss()), **NUMBERS),
    Row("loss.huber_divided_by_delta", X, logits, port, "", (),
        loss=of("Huber", nn.SmoothL1Loss(beta=0.5), delta=0.5), unnamed="no formula of it",
        **NUMBERS),
    Row("loss.huber_delta", X, logits, port, "", ("loss.delta",),
        loss=of("Huber", nn.HuberLoss(delta=0.5)), **NUMBERS),
    Row("loss.kl_divergence", X, ended("softmax"), lambda: port(nn.Softmax(-1)), "",
        ("loss.kl_divergence",), "loss", targets="shares",
        loss=of("KLDivergence", lambda o, y: (y * (y / o).log()).mean())),
    Row("loss.log_cosh", X, logits, port, "", ("loss.log_cosh",),
        loss=of("LogCosh", lambda o, y: torch.log(torch.cosh(o - y)).mean()), **NUMBERS),
    Row("loss.hinge_labels", X, ended("tanh", 1), lambda: port(nn.Tanh(), units=1), "",
        ("loss.hinge_labels",), "loss", targets="binary",
        loss=of("Hinge", lambda o, y: (1 - y * o).clamp(min=0).mean())),
    Row("loss.poisson_of_logarithms", X, ended("sigmoid"), lambda: port(nn.Sigmoid()), "",
        ("loss.from_logits",), "loss", targets="shares",
        loss=of("Poisson", nn.PoissonNLLLoss(log_input=True))),
    Row("loss.poisson_epsilon", X, ended("sigmoid"), lambda: port(nn.Sigmoid()), "", (), "loss",
        targets="shares", loss=of("Poisson", nn.PoissonNLLLoss(log_input=False)),
        unnamed="no formula of it"),
    Row("loss.margins_of_all_classes", X, logits, port, "", (), "loss",
        loss=lambda keras: (
            lambda y, o: keras.losses.CategoricalHinge()(keras.utils.to_categorical(y, 3), o),
            nn.MultiMarginLoss()),
        unnamed="no formula of it"),
    Row("loss.similarity_sign", X, logits, port, "", (),
        loss=of("CosineSimilarity", lambda o, y: F.cosine_similarity(o, y).mean()),
        unnamed="no formula of it", **NUMBERS),
    Row("l2.factor", X, penalised(kernel_regularizer="l2"), port, "", ("l2.factor",), "loss",
        loss=crossentropy),
    Row("penalty.l1_missing", X, penalised(kernel_regularizer="l1"), port, "",
        ("penalty.missing",), "loss", loss=crossentropy),
    Row("penalty.activity_missing", X, penalised(activity_regularizer="l2"), port, "",
        ("penalty.missing",), "loss", loss=crossentropy),
    Row("parameter.frozen", X, logits,
        lambda: nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3).requires_grad_(False)),
        "b", ("layer.trainable",), "gradients", loss=crossentropy),
    Row("gradient.detached", X, logits,
        lambda: Net(lambda self, x: self.b(torch.tanh(self.a(x)).detach()), a=nn.Linear(5, 4),
                    b=nn.Linear(4, 3)), "a", ("gradient.detached",), "gradients",
        loss=crossentropy),
]  # fmt: skip
