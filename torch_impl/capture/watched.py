"""What a trainer needs of the side whose PyTorch model it trains."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from parity.adapters.heads import Heads
from parity.adapters.side import Side
from torch_impl.capture.module_state import ModuleState
from torch_impl.capture.read.layout import Layout
from torch_impl.capture.trace.watch import Watch


class Watched(Side, Protocol):
    """The model that is trained, which a side has copied and watches while it runs."""

    dtype: torch.dtype
    modules: dict[str, tuple[nn.Module, tuple[Any, ...]]]
    outputs: list[Layout]
    output_names: list[str]
    heads: Heads
    watch: Watch
    copies: bool
    kept_outputs: tuple[str, ...]
    state: ModuleState

    def computing(self) -> contextlib.AbstractContextManager[None]:
        """The model computes in float64 what its code computes in float32, where that is asked."""

    def tensor(self, value: np.ndarray) -> Tensor:
        """The array as a tensor, floats in the model's dtype."""

    def tensors(
        self, inputs: Sequence[np.ndarray], own: Sequence[np.ndarray] | None
    ) -> tuple[list[Tensor], list[Layout]]:
        """Inputs in the layout that the model takes, and these layouts."""

    def called_with(self, inputs: Sequence[np.ndarray], tensors: Sequence[Tensor]) -> Any:
        """What the model returns for tensors in the structure of these inputs."""

    def unowned_tensors(self, layers: Collection[str] = ()) -> dict[str, Tensor]:
        """Floating parameters and buffers that none of these layers holds, by their own names."""
