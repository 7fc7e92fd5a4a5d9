"""FeedForwardSpec: what the classifiers without recurrent layers have in common."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from parity.options import option
from parity.specs.base import Draw, Layer, ModelSpec, Parameter

ACTIVATIONS = ("relu", "leaky_relu", "gelu", "tanh")
"""Accepted activations; gelu is the exact one, ½·x·erfc(−x·√½)."""


@dataclass(frozen=True, kw_only=True)
class FeedForwardSpec(ModelSpec):
    """Dense layers, each followed by an activation, then the head."""

    hidden: tuple[int, ...] = option(
        (128,), help="widths of the hidden layers", kind=int, many=True, minimum=1
    )
    activation: str = option(
        "relu",
        help="activation after each hidden layer and convolution",
        kind=str,
        choices=ACTIVATIONS,
    )
    negative_slope: float = option(0.2, help="leaky_relu: slope below zero", kind=float, minimum=0)

    noise: float = option(
        0.0,
        help="standard deviation of the Gaussian noise added to the inputs in training",
        kind=float,
        minimum=0,
        maximum=1,  # Keras 3's limit
    )

    def noise_layers(self, shape: tuple[int, ...]) -> Iterator[Layer]:
        """Yield the noise layer for inputs of ``shape``, if there is noise."""
        if self.noise:
            yield Layer("noise", shape)

    def noise_draws(self, shape: tuple[int, ...]) -> dict[str, Draw]:
        """Return the noise's random numbers for inputs of ``shape``, if there is noise."""
        return {"noise": Draw("normal", shape)} if self.noise else {}

    def hidden_parameters(self, fan_in: int) -> Iterator[Parameter]:
        """Yield the parameters of the hidden layers and of the head."""
        for number, units in enumerate(self.hidden, 1):
            yield from self.dense(f"dense_{number}", fan_in, units)
            fan_in = units
        yield from self.head_parameters(fan_in)

    def hidden_layers(self) -> Iterator[Layer]:
        """Yield each hidden dense layer and its activation."""
        for number, units in enumerate(self.hidden, 1):
            yield Layer(f"dense_{number}", (units,))
            yield Layer(f"dense_activation_{number}", (units,))
