"""Arguments by name, in dictionaries, tuples and dataclasses; outputs of any structure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from parity.pairs.check import check
from parity_tests.pairs.as_written.models import Written, numbers
from parity_tests.pairs.zoo.models import fill

pytestmark = pytest.mark.flavour

A, B = numbers(4, 5), numbers(4, 6, seed=1)


@dataclass
class Fields:
    """Inputs, or outputs, of a user's."""

    a: Any
    b: Any


class Port(nn.Module):
    """A branch for each input."""

    def __init__(self, sign: float = 1.0) -> None:
        super().__init__()
        self.p, self.q, self.o = nn.Linear(5, 3), nn.Linear(6, 4), nn.Linear(7, 2)
        self.sign = sign

    def forward(self, a: Tensor, b: Tensor | None = None, extra: Any = None) -> Tensor:
        """Both branches; zeros for the second if it is missing."""
        second = a.new_zeros(len(a), 4) if b is None else self.q(b)
        return self.o(torch.cat([self.p(a) * self.sign, second], -1))


class OfOne(Port):
    """Takes both inputs in one argument."""

    def forward(self, batch: Any) -> Tensor:  # type: ignore[override]
        """By name, by attribute, or by place."""
        if isinstance(batch, Fields):
            return super().forward(batch.a, batch.b)
        first, second = (batch["a"], batch["b"]) if isinstance(batch, dict) else batch
        return super().forward(first, second[0] if isinstance(second, tuple) else second)


def functional(keras: Any) -> Any:
    """A functional model with two inputs that have names."""
    layers = keras.layers
    a, b = keras.Input((5,), name="a"), keras.Input((6,), name="b")
    both = layers.Concatenate()([layers.Dense(3, name="p")(a), layers.Dense(4, name="q")(b)])
    return fill(keras.Model({"a": a, "b": b}, layers.Dense(2, name="o")(both)))


def subclassed(keras: Any) -> Any:
    """A subclassed model whose second input may be left out."""
    layers = keras.layers

    class Model(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.p, self.q, self.o = (layers.Dense(size) for size in (3, 4, 2))
            self.join = layers.Concatenate()

        def call(self, a: Any, b: Any = None, training: bool = False) -> Any:
            second = np.zeros((4, 4)) + 0.0 * self.p(a)[:, :1] if b is None else self.q(b)
            return self.o(self.join([self.p(a), second]))

    return Model


CASES: dict[str, tuple[Any, Any, Any, Any]] = {
    "by name": (functional, Port, {"a": A, "b": B}, None),
    "by name, in another order": (functional, Port, {"b": B, "a": A}, None),
    "in one dictionary": (functional, OfOne, {"a": A, "b": B}, None),
    "by name of a subclass": (subclassed, Port, {"a": A, "b": B}, None),
    "None": (subclassed, Port, {"a": A, "b": None}, None),
    "a dataclass": (functional, OfOne, {"a": A, "b": B}, Fields(A, B)),
    "a tuple in a tuple": (functional, OfOne, {"a": A, "b": B}, (A, (B, None))),
}


@pytest.mark.filterwarnings("ignore:.*was called on layer")  # Keras 3: of a subclass
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_arguments_keep_their_structure(keras: Any, name: str, sign: float) -> None:
    """As each model's owner passes them, also in training."""
    build, port, inputs, other = CASES[name]
    built = build(keras)
    loss = keras.losses.MeanSquaredError(), nn.MSELoss()
    report = check(
        built,
        lambda: port(sign),
        inputs,
        torch_inputs=other,
        targets=numbers(4, 2),
        loss=loss,
        float32=False,
    )
    assert report.verdict == ("same" if sign == 1.0 else "different"), str(report)


OUTPUTS: dict[str, Any] = {
    "a tuple": lambda y, h: (y, h),
    "a dictionary": lambda y, h: {"hidden": h, "logits": y, "loss": None, "steps": 3},
    "a dataclass": lambda y, h: Fields(y, object()),
}


@pytest.mark.parametrize("name", OUTPUTS)
@pytest.mark.parametrize("scale", [1.0, 1.5])
def test_outputs_that_one_model_lacks_are_listed(keras: Any, name: str, scale: float) -> None:
    """The others are compared; a loss takes the output in its own structure."""
    layers = keras.layers
    model = keras.Sequential([keras.Input((5,)), layers.Dense(3), layers.Dense(2)])

    def forward(self: Any, x: Tensor) -> Any:
        hidden = self.p(x)
        return OUTPUTS[name](self.o(hidden) * scale, hidden)

    def loss(out: Any, y: Tensor) -> Tensor:
        logits = out["logits"] if isinstance(out, dict) else getattr(out, "a", None)
        return nn.functional.mse_loss(out[0] if logits is None else logits, y)

    report = check(
        fill(model),
        Written(forward, p=nn.Linear(5, 3), o=nn.Linear(3, 2)),
        A,
        targets=numbers(4, 2),
        loss=(keras.losses.MeanSquaredError(), loss),
        float32=False,
    )
    assert report.verdict == ("same" if scale == 1.0 else "different"), str(report)
    listed = any("only PyTorch has it" in note and "(4, 3)" in note for note in report.notes)
    assert listed == (name != "a dataclass")
