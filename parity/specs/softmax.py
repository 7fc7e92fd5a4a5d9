"""Softmax regression and multilayer perceptron: flatten → dense … → dense(classes)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from parity.options import option
from parity.specs.base import PENALTIES, Draw, Layer, Parameter
from parity.specs.feed_forward import FeedForwardSpec


@dataclass(frozen=True, kw_only=True)
class SoftmaxSpec(FeedForwardSpec):
    """Dense classifier; without hidden layers it is softmax (or logistic) regression."""

    family: ClassVar[str] = "softmax"
    default_dataset: ClassVar[str] = "fashion_mnist"

    layer_norm: bool = option(False, help="layer normalisation before each activation", kind=bool)
    layer_norm_epsilon: float = option(
        1e-3, help="layer norm: added to the variance before the root", kind=float, above=0
    )

    def parameters(self) -> tuple[Parameter, ...]:
        """Return kernel (in, out) and bias (out,) of each dense layer, and layer norm's vectors."""
        rows: list[Parameter] = []
        into = math.prod(self.input_shape)
        for number, units in enumerate(self.hidden, 1):
            rows += self.dense(f"dense_{number}", into, units)
            if self.layer_norm:
                rows += (
                    Parameter(f"layer_norm_{number}/gamma", (units,), "ones", (into, units)),
                    Parameter(f"layer_norm_{number}/beta", (units,), "zeros", (into, units)),
                )
            into = units
        return (*rows, *self.head_parameters(into))

    def layers(self) -> tuple[Layer, ...]:
        """Return flatten, noise, each hidden layer with norm and activation, and the head."""
        flat = (math.prod(self.input_shape),)
        rows = [Layer("flatten", flat), *self.noise_layers(flat)]
        for number, units in enumerate(self.hidden, 1):
            rows.append(Layer(f"dense_{number}", (units,)))
            if self.layer_norm:
                rows.append(Layer(f"layer_norm_{number}", (units,)))
            rows.append(Layer(f"dense_activation_{number}", (units,)))
        return (*rows, *self.head_layers())

    def draws(self) -> dict[str, Draw]:
        """Return the noise's random numbers, if there is noise."""
        return self.noise_draws((math.prod(self.input_shape),))

    @classmethod
    def variants(cls) -> Mapping[str, Mapping[str, Any]]:
        """Return zero to two hidden layers with each head and output, then single options."""
        digits = {"input_shape": (8, 8, 1)}
        depths = {
            "regression": (),
            "hidden_128": (128,),
            "hidden_256": (256,),
            "hidden_32_16": (32, 16),
        }
        heads: dict[str, dict[str, Any]] = {
            "logits": {},
            "probabilities": {"output": "probabilities"},
            "binary": {"head": "sigmoid", "classes": 2},
            "binary_probabilities": {"head": "sigmoid", "classes": 2, "output": "probabilities"},
        }
        square = {**digits, "hidden": (16, 16, 16)}
        return {
            **{
                f"{depth}-{head}": {**digits, "hidden": hidden, **fields}
                for depth, hidden in depths.items()
                for head, fields in heads.items()
            },
            "square": square,
            "leaky_relu": {**square, "activation": "leaky_relu"},
            "gelu": {**square, "activation": "gelu"},
            "tanh": {**square, "activation": "tanh"},
            "layer_norm": {**square, "layer_norm": True},
            "l2": {**square, "l2": 0.01},
            "noise": {**square, "noise": 0.3},
            "penalties": {**square, **PENALTIES},
            "max_norm": {**square, "max_norm": 0.7},
            "non_negative": {**square, "non_negative": True},
        }
