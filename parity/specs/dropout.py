"""Dense classifier with dropout: flatten → dense(128) → activation → dropout → dense(classes)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from parity.options import option
from parity.specs.base import Draw, Layer, Parameter
from parity.specs.feed_forward import FeedForwardSpec


@dataclass(frozen=True, kw_only=True)
class DropoutSpec(FeedForwardSpec):
    """Dense classifier with dropout after each hidden layer."""

    family: ClassVar[str] = "dropout"
    default_dataset: ClassVar[str] = "fashion_mnist"

    hidden: tuple[int, ...] = option(
        (128,), help="widths of the hidden layers", kind=int, many=True, minimum=1, empty=False
    )
    rate: float = option(
        0.2, help="share of units dropped in training", kind=float, minimum=0, below=1
    )
    dropout_kind: str = option(
        "standard",
        help="standard: units are set to zero; gaussian: they are multiplied by noise; alpha: they "
        "are set to selu's lower limit, and mean and variance are preserved",
        kind=str,
        choices=("standard", "gaussian", "alpha"),
    )

    def parameters(self) -> tuple[Parameter, ...]:
        """Return kernel (in, out) and bias (out,) of every dense layer."""
        return tuple(self.hidden_parameters(math.prod(self.input_shape)))

    def layers(self) -> tuple[Layer, ...]:
        """Return flatten, noise, each hidden layer with activation and dropout, and the head."""
        flat = (math.prod(self.input_shape),)
        rows = [Layer("flatten", flat), *self.noise_layers(flat)]
        for number, units in enumerate(self.hidden, 1):
            rows += (
                Layer(f"dense_{number}", (units,)),
                Layer(f"dense_activation_{number}", (units,)),
                Layer(f"dropout_{number}", (units,)),
            )
        return (*rows, *self.head_layers())

    def draws(self) -> dict[str, Draw]:
        """Return the noise's numbers, and a mask entry or normal number per hidden unit."""
        kind = "normal" if self.dropout_kind == "gaussian" else "mask"
        return {
            **self.noise_draws((math.prod(self.input_shape),)),
            **{
                f"dropout_{number}": Draw(kind, (units,), self.rate)
                for number, units in enumerate(self.hidden, 1)
            },
        }

    @classmethod
    def variants(cls) -> Mapping[str, Mapping[str, Any]]:
        """Return rates over [0, 1), two hidden layers, another activation, and each head."""
        digits = {"input_shape": (8, 8, 1)}
        return {
            **{f"rate_{rate:g}": {**digits, "rate": rate} for rate in (0.0, 0.2, 0.5, 0.9, 0.999)},
            "gaussian": {**digits, "dropout_kind": "gaussian", "rate": 0.3},
            "alpha": {**digits, "dropout_kind": "alpha", "rate": 0.3, "noise": 0.2},
            "two_hidden": {**digits, "hidden": (64, 32), "rate": 0.3},
            "gelu": {**digits, "hidden": (16, 16), "activation": "gelu"},
            "probabilities": {**digits, "output": "probabilities"},
            "binary": {**digits, "head": "sigmoid", "classes": 2},
            "binary_probabilities": {
                **digits,
                "head": "sigmoid",
                "classes": 2,
                "output": "probabilities",
            },
        }
