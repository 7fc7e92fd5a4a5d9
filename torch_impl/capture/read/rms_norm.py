"""Reader of root mean square normalization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from parity.reference.layers import rms_norm
from torch_impl.capture.read.layout import Layout
from torch_impl.capture.read.normalization import along
from torch_impl.capture.read.registry import Config, Places, holding, parameter_function, reader

EPSILON = torch.finfo(torch.float32).eps
"""What PyTorch adds in float32 if no ``eps`` is given."""


def _weights(module: nn.RMSNorm, layouts: Sequence[Layout]) -> Places:
    return {"scale": along(module.weight, layouts[0])}


def _in_float32(module: nn.RMSNorm) -> None:
    module.eps = EPSILON if module.eps is None else module.eps


@reader(
    nn.RMSNorm,
    weights=_weights,
    along_last=lambda module: len(module.normalized_shape) == 1,
    in_float32=_in_float32,
)
def _rms_norm(module: nn.RMSNorm) -> Config:
    axes = tuple(range(-len(module.normalized_shape), 0))
    return rms_norm.RMSNorm(axis=axes, epsilon=EPSILON if module.eps is None else module.eps)


@parameter_function("rms_norm")
def _rms_norm_function(
    input: Tensor, normalized_shape: Any, weight: Tensor | None = None, eps: float | None = None
) -> tuple[nn.Module, Tensor]:
    eps = torch.finfo(input.dtype).eps if eps is None else eps
    module = nn.RMSNorm(tuple(normalized_shape), eps, device="meta")
    return holding(module, weight=weight), input
