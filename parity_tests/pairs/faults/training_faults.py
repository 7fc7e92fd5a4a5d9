"""Faults that show in training alone, planted into pairs of users' own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

Rules = Callable[[Any], Any]
"""Of the Keras module: an optimizer, or the two of a pair."""


class Mlp(nn.Module):
    """A dense network with dropout, faithful but for what it is told."""

    def __init__(
        self, rate: float | None = 0.3, softmax: bool = False, cut: bool = False, classes: int = 3
    ) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(6, 8), nn.Linear(8, classes)
        self.drop = nn.Identity() if rate is None else nn.Dropout(rate)
        self.softmax, self.cut = softmax, cut

    def forward(self, x: Tensor) -> Tensor:
        """Classes of (N, 6)."""
        x = self.drop(torch.relu(self.a(x)))
        x = self.b(x.detach() if self.cut else x)
        return x.softmax(-1) if self.softmax else x


def keras_mlp(
    keras: Any, softmax: bool = False, rate: float = 0.3, penalty: float = 0.0, frozen: bool = False
) -> Any:
    """Its original."""
    layers, regular = keras.layers, keras.regularizers.L2(penalty) if penalty else None
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(
                8, activation="relu", kernel_regularizer=regular, trainable=not frozen, name="a"
            ),
            *([layers.Dropout(rate, name="drop")] if rate else []),
            layers.Dense(3, activation="softmax" if softmax else None, name="b"),
        ]
    )


@dataclass(frozen=True)
class Fault:
    """What differs, and what a check must say.

    Attributes:
        causes: the ids that it must name, no more and no fewer.
        rung: where the two part first.
        layer: the Keras layer of the first cause; empty: any.
        keras: options of the Keras model.
        torch: options of the PyTorch model.
        loss: both losses.
        rules: both optimizers.
    """

    causes: frozenset[str]
    rung: str
    layer: str = ""
    keras: dict[str, Any] = field(default_factory=dict)
    torch: dict[str, Any] = field(default_factory=dict)
    loss: Rules = lambda keras: (
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        nn.CrossEntropyLoss(),
    )
    rules: Rules = lambda keras: "sgd"


def rules_of(own: Callable[[Any], Any], other: Callable[..., Any], **given: Any) -> Rules:
    """Of ``keras.optimizers``, and a class of PyTorch's with its arguments."""
    return lambda keras: (own(keras.optimizers), lambda params: other(params, **given))


def _of(rung: str, rules: Rules, *causes: str) -> Fault:
    return Fault(frozenset(causes), rung, rules=rules)


O = torch.optim  # noqa: E741

FAULTS = {
    "dropout's rate": Fault(
        frozenset({"dropout.rate"}), "forward_train", "drop", torch={"rate": 0.4}
    ),
    "no dropout": Fault(frozenset({"dropout.rate"}), "forward_train", "drop", torch={"rate": None}),
    "dropout in PyTorch alone": Fault(
        frozenset({"dropout.rate"}), "forward_train", keras={"rate": 0.0}
    ),
    "softmax twice": Fault(
        frozenset({"loss.from_logits"}),
        "loss",
        keras={"softmax": True},
        torch={"softmax": True},
        loss=lambda keras: (keras.losses.SparseCategoricalCrossentropy(), nn.CrossEntropyLoss()),
    ),
    "a sum for a mean": Fault(
        frozenset({"loss.reduction"}),
        "loss",
        loss=lambda keras: (
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            nn.CrossEntropyLoss(reduction="sum"),
        ),
    ),
    "no penalty": Fault(frozenset({"l2.factor"}), "loss", keras={"penalty": 0.01}),
    "frozen in Keras": Fault(
        frozenset({"layer.trainable"}), "gradients", "a", keras={"frozen": True}
    ),
    "a gradient cut": Fault(
        frozenset({"gradient.detached"}), "gradients", "a", torch={"cut": True}
    ),
    "Adam of either": _of(
        "step",
        rules_of(lambda o: o.Adam(), O.Adam),
        *("adam.epsilon", "adam.epsilon_placement"),
    ),
    "Adam with Keras's epsilon": _of(
        "step", rules_of(lambda o: o.Adam(), O.Adam, eps=1e-7), "adam.epsilon_placement"
    ),
    "AdamW of either": _of(
        "step",
        rules_of(lambda o: o.AdamW(), O.AdamW),
        *("adam.epsilon", "adam.epsilon_placement", "adamw.weight_decay"),
    ),
    "SGD of either": _of("step", rules_of(lambda o: o.SGD(), O.SGD), "optimizer.learning_rate"),
    "decay in the gradient": _of(
        "step",
        rules_of(
            lambda o: o.SGD(0.1, momentum=0.9, weight_decay=0.01),
            O.SGD,
            **{"lr": 0.1, "momentum": 0.9, "weight_decay": 0.02},
        ),
        "optimizer.weight_decay",
    ),
    "momentum": _of(
        "steps", rules_of(lambda o: o.SGD(0.1, momentum=0.9), O.SGD, lr=0.1), "sgd.momentum"
    ),
    "Nesterov": _of(
        "step",
        rules_of(lambda o: o.SGD(0.1, momentum=0.9, nesterov=True), O.SGD, lr=0.1, momentum=0.9),
        "sgd.nesterov",
    ),
    "clipping": _of(
        "step", rules_of(lambda o: o.SGD(0.1, clipnorm=0.01), O.SGD, lr=0.1), "optimizer.clipnorm"
    ),
    "RMSprop of either": _of(
        "step",
        rules_of(lambda o: o.RMSprop(), O.RMSprop, lr=1e-3),
        *("rmsprop.epsilon", "rmsprop.epsilon_placement", "rmsprop.rho"),
    ),
    "Adagrad of either": _of(
        "step",
        rules_of(lambda o: o.Adagrad(0.01), O.Adagrad, lr=0.01, eps=1e-7),
        *("adagrad.epsilon_placement", "adagrad.initial_accumulator"),
    ),
    "Adadelta of either": _of(
        "step",
        rules_of(lambda o: o.Adadelta(1.0), O.Adadelta),
        "adadelta.constants",
    ),
    "Nadam of either": _of(
        "step",
        rules_of(lambda o: o.Nadam(), O.NAdam, lr=1e-3),
        *("nadam.epsilon", "nadam.momentum_decay"),
    ),
    "another optimizer": _of(
        "step", rules_of(lambda o: o.Lion(1e-3), O.Adam, lr=1e-3), "optimizer.kind"
    ),
    "groups of other rates": _of(
        "step",
        lambda keras: (
            keras.optimizers.SGD(0.01),
            lambda p: O.SGD([{"params": p[:2]}, {"params": p[2:], "lr": 0.1}], lr=0.01),
        ),
        "optimizer.learning_rate",
    ),
}
"""By name."""
