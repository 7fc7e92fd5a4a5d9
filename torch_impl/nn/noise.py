"""Noise layers of Keras: Gaussian noise, Gaussian dropout, alpha dropout.

The noise or the mask can be passed as a second input, so that two frameworks share it; otherwise it
is drawn from the module's ``generator``, or PyTorch's default one. In evaluation mode the input is
returned unchanged.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from parity.constants import FLAVOURS

ALPHA_P = -1.6732632423543772 * 1.0507009873554805
"""SELU's limit for very negative inputs: −α·scale, with Keras's constants."""


class _Noise(nn.Module):
    """Base class with the flavour, the generator and the check of the rate."""

    def __init__(
        self, name: str, value: float, generator: torch.Generator | None, flavour: str
    ) -> None:
        super().__init__()
        if flavour not in FLAVOURS:
            raise ValueError(f"flavour: received {flavour!r}, accepted: {', '.join(FLAVOURS)}")
        if not value >= 0:
            raise ValueError(f"{name}: received {value}, accepted: 0 or more")
        if name == "rate" and (value > 1 or (flavour == "keras3" and value == 1)):
            accepted = "0 to below 1" if flavour == "keras3" else "0 to 1"
            raise ValueError(f"rate: received {value}, accepted: {accepted}")
        if name == "stddev" and flavour == "keras3" and value > 1:
            raise ValueError(f"stddev: received {value}, accepted: 0 to 1")
        self.generator = generator
        self.flavour = flavour

    def _normal(self, x: Tensor, noise: Tensor | None) -> Tensor:
        """Standard normal numbers of x's shape."""
        if noise is None:
            return torch.randn(x.shape, generator=self.generator, dtype=x.dtype, device=x.device)
        if noise.shape != x.shape:
            raise ValueError(
                f"noise: received shape {tuple(noise.shape)}, accepted: {tuple(x.shape)}"
            )
        return noise.to(x)


class GaussianNoise(_Noise):
    """x + σ·z with standard normal z. Source: ``…/layers/regularization/gaussian_noise.py``.

    Args:
        stddev: σ, 0 or more; at most 1 in Keras 3.
        generator: random generator on the inputs' device.
        flavour: ``tf_keras`` (Keras 2) or ``keras3``.

    Raises:
        ValueError: σ is out of range.
    """

    def __init__(
        self,
        stddev: float,
        *,
        generator: torch.Generator | None = None,
        flavour: str = "tf_keras",
    ) -> None:
        super().__init__("stddev", stddev, generator, flavour)
        self.stddev = stddev

    def forward(self, x: Tensor, noise: Tensor | None = None) -> Tensor:
        """X of any shape with noise; ``noise``: z, of the same shape."""
        if not self.training or not self.stddev:
            return x
        return x + self._normal(x, noise) * self.stddev


class GaussianDropout(_Noise):
    """x·(1 + z·√(r/(1 − r))) with standard normal z. PyTorch has no such layer.

    At r = 1 Keras 2 returns the input; Keras 3 divides by zero, which is an error here.
    Source: ``…/layers/regularization/gaussian_dropout.py``.

    Args:
        rate: r, from 0 to 1, in Keras 3 to below 1.
        generator: random generator on the inputs' device.
        flavour: ``tf_keras`` (Keras 2) or ``keras3``.

    Raises:
        ValueError: r is out of range.
    """

    def __init__(
        self, rate: float, *, generator: torch.Generator | None = None, flavour: str = "tf_keras"
    ) -> None:
        super().__init__("rate", rate, generator, flavour)
        self.rate = rate

    def forward(self, x: Tensor, noise: Tensor | None = None) -> Tensor:
        """X of any shape with noise; ``noise``: z, of the same shape."""
        if not self.training or not 0 < self.rate < 1:
            return x
        return x * (self._normal(x, noise) * math.sqrt(self.rate / (1.0 - self.rate)) + 1.0)


class AlphaDropout(_Noise):
    """a·(x·kept + α'·(1 − kept)) + b, with a = 1/√((1 − r)(1 + r·α'²)) and b = −a·α'·r.

    α' ≈ −1.758 is SELU's lower limit, so the mean and the variance are preserved.
    ``nn.AlphaDropout`` has the same formula, but accepts no mask. At r = 1 Keras 2 returns the
    input, Keras 3 divides by zero, and PyTorch returns zeros. Source: Klambauer et al., 2017;
    ``…/layers/regularization/alpha_dropout.py``.

    Args:
        rate: r, the share that is dropped, from 0 to 1 (below 1 in Keras 3).
        noise_shape: shape of the mask, which broadcasts to the inputs; None for the inputs' shape.
        generator: random generator on the inputs' device.
        flavour: ``tf_keras`` (Keras 2) or ``keras3``.

    Raises:
        ValueError: r is out of range.
    """

    def __init__(
        self,
        rate: float,
        noise_shape: Sequence[int] | None = None,
        *,
        generator: torch.Generator | None = None,
        flavour: str = "tf_keras",
    ) -> None:
        super().__init__("rate", rate, generator, flavour)
        self.rate = rate
        self.noise_shape = noise_shape

    def forward(self, x: Tensor, kept: Tensor | None = None) -> Tensor:
        """X with some entries replaced; ``kept`` (broadcasts to x) is 1 or true where x is kept."""
        if not self.training or not 0 < self.rate < 1:
            return x
        if kept is None:
            shape = x.shape if self.noise_shape is None else tuple(self.noise_shape)
            drawn = torch.rand(shape, generator=self.generator, dtype=x.dtype, device=x.device)
            kept = drawn >= self.rate
        kept = kept.to(x)
        if torch.broadcast_shapes(kept.shape, x.shape) != x.shape:
            raise ValueError(
                f"kept: received shape {tuple(kept.shape)}, accepted: what broadcasts to "
                f"{tuple(x.shape)}"
            )
        a = ((1 - self.rate) * (1 + self.rate * ALPHA_P**2)) ** (-0.5)
        b = -a * ALPHA_P * self.rate
        return a * (x * kept + ALPHA_P * (1 - kept)) + b
