"""Noise and dropout layers with shared random draws."""

from __future__ import annotations

from torch import nn

from parity.constants import as_float32
from parity.specs.dropout import DropoutSpec
from parity.specs.feed_forward import FeedForwardSpec
from torch_impl.nn import AlphaDropout, GaussianDropout, GaussianNoise
from torch_impl.parts.layers import SharedDropout


def noise(spec: FeedForwardSpec) -> GaussianNoise | None:
    """Gaussian noise on the inputs with the spec's σ; None if it is 0."""
    return GaussianNoise(as_float32(spec.noise), flavour=spec.flavour) if spec.noise else None


def dropout(spec: DropoutSpec) -> nn.Module:
    """Dropout of the spec's kind and rate."""
    if spec.dropout_kind == "gaussian":
        return GaussianDropout(spec.rate, flavour=spec.flavour)
    if spec.dropout_kind == "alpha":
        return AlphaDropout(spec.rate, flavour=spec.flavour)
    return SharedDropout(spec.rate)
