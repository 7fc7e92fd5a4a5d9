"""What the classifiers without recurrence share: hidden dense layers and their activation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from parity.options import option
from parity.specs.base import Draw, Layer, ModelSpec, Parameter

ACTIVATIONS = ("relu", "leaky_relu", "gelu", "tanh")
"""Activations by name; gelu is the exact one, ½·x·erfc(−x·√½)."""


@dataclass(frozen=True, kw_only=True)
class FeedForwardSpec(ModelSpec):
    """Dense layers, each with an activation behind it, then the head."""

    hidden: tuple[int, ...] = option(
        (128,), help="widths of the hidden layers", kind=int, many=True, minimum=1
    )
    activation: str = option(
        "relu",
        help="what stands behind each hidden layer and convolution",
        kind=str,
        choices=ACTIVATIONS,
    )
    negative_slope: float = option(0.2, help="leaky_relu: slope below zero", kind=float, minimum=0)

    noise: float = option(
        0.0,
        help="standard deviation of the Gaussian noise on the inputs while training",
        kind=float,
        minimum=0,
        maximum=1,  # as Keras 3 has it
    )

    def noise_layers(self, shape: tuple[int, ...]) -> Iterator[Layer]:
        """The noise on inputs of ``shape``, if any."""
        if self.noise:
            yield Layer("noise", shape)

    def noise_draws(self, shape: tuple[int, ...]) -> dict[str, Draw]:
        """What the noise draws, if there is any."""
        return {"noise": Draw("normal", shape)} if self.noise else {}

    def hidden_parameters(self, fan_in: int) -> Iterator[Parameter]:
        """Table rows of dense(hidden) … → dense(classes)."""
        for number, units in enumerate(self.hidden, 1):
            yield from self.dense(f"dense_{number}", fan_in, units)
            fan_in = units
        yield from self.head_parameters(fan_in)

    def hidden_layers(self) -> Iterator[Layer]:
        """Layers of the hidden part: each dense layer and its activation."""
        for number, units in enumerate(self.hidden, 1):
            yield Layer(f"dense_{number}", (units,))
            yield Layer(f"dense_activation_{number}", (units,))
