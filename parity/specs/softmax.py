"""Softmax regression and the multilayer perceptron: flatten → dense … → dense(classes)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from parity.options import option
from parity.specs.base import Layer, ModelSpec, Parameter


@dataclass(frozen=True, kw_only=True)
class SoftmaxSpec(ModelSpec):
    """Dense classifier; without hidden layers it is plain softmax (or logistic) regression."""

    family: ClassVar[str] = "softmax"
    default_dataset: ClassVar[str] = "fashion_mnist"

    hidden: tuple[int, ...] = option(
        (128,), help="widths of the hidden layers", kind=int, many=True, minimum=1
    )

    def parameters(self) -> tuple[Parameter, ...]:
        """Kernels (in, out) and biases (out,) of every dense layer."""
        return tuple(self.hidden_parameters(math.prod(self.input_shape), self.hidden))

    def layers(self) -> tuple[Layer, ...]:
        """Flatten, each hidden layer and its relu, the head."""
        flat = Layer("flatten", (math.prod(self.input_shape),))
        return (flat, *self.hidden_layers(self.hidden), *self.head_layers())

    @classmethod
    def variants(cls) -> Mapping[str, Mapping[str, Any]]:
        """No, one and two hidden layers, each head, each kind of output."""
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
        return {
            f"{depth}-{head}": {**digits, "hidden": hidden, **fields}
            for depth, hidden in depths.items()
            for head, fields in heads.items()
        }
