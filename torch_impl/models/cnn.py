"""Convolutional classifier. Twin: ``keras_impl/models/cnn.py``.

Deliberate differences: computes channels-first, so it permutes images at the input and in its
flatten; it pads convolutions explicitly, because PyTorch's 'same' allows no stride.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from parity.specs.cnn import CnnSpec
from torch_impl.parts.augmentation import augmentation
from torch_impl.parts.layers import (
    Flatten,
    Masks,
    SameConv2d,
    SharedDropout,
    activation,
    batch_norm,
    output_activation,
    pool,
)
from torch_impl.parts.noise import noise


class CnnClassifier(nn.Module):
    """[conv → batch norm → activation → pool → dropout] … → dense … → dense(classes).

    Before it, augmentation and noise, if the spec has them.
    """

    def __init__(self, spec: CnnSpec) -> None:
        super().__init__()
        channels, widths = (spec.input_shape[-1], *spec.channels), (spec.flat, *spec.hidden)
        self.augmentation = augmentation(spec)
        self.noise = noise(spec)
        self.conv = nn.ModuleList(
            SameConv2d(into, out, spec.kernel_size, stride=spec.stride)
            for into, out in pairwise(channels)
        )
        self.batch_norm = nn.ModuleList(
            batch_norm(spec, out) for out in spec.channels if spec.batch_norm
        )
        self.activation = nn.ModuleList(activation(spec) for _ in spec.channels)
        self.pool = nn.ModuleList(pool(spec) for _ in spec.channels)
        self.spatial_dropout = nn.ModuleList(
            SharedDropout(spec.spatial_rate, spatial=True) for _ in spec.channels
        )
        self.flatten = Flatten()
        self.dense = nn.ModuleList(nn.Linear(into, units) for into, units in pairwise(widths))
        self.dense_activation = nn.ModuleList(activation(spec) for _ in spec.hidden)
        self.logits = nn.Linear(widths[-1], spec.outputs)
        self.probabilities = output_activation(spec.head, spec.output)

    def forward(self, x: Tensor, lengths: Tensor | None = None, keep: Masks = None) -> Tensor:
        """Map x (N, H, W, C) and random draws (N, …) by layer name to (N, outputs)."""
        keep = {
            name: drawn.permute(0, 3, 1, 2) if drawn.ndim == 4 else drawn
            for name, drawn in (keep or {}).items()
        }
        x = x.permute(0, 3, 1, 2)  # (N, C, H, W), channels last in memory
        if self.augmentation is not None:
            x = self.augmentation(x, keep.get("augmentation"))
        if self.noise is not None:
            x = self.noise(x, keep.get("noise"))
        for n in range(len(self.conv)):
            x = self.conv[n](x)  # (N, channels, ⌈H/stride⌉, ⌈W/stride⌉)
            if self.batch_norm:
                x = self.batch_norm[n](x)
            x = self.pool[n](self.activation[n](x))  # (N, channels, H/2, W/2)
            x = self.spatial_dropout[n](x, keep.get(f"spatial_dropout_{n + 1}"))
        x = self.flatten(x)  # (N, H·W·channels), in that order
        for n in range(len(self.dense)):
            x = self.dense_activation[n](self.dense[n](x))  # (N, units)
        x = self.logits(x)  # (N, outputs)
        return self.probabilities(x)  # (N, outputs)
