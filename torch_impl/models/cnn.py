"""Convolutional classifier. Twin: ``keras_impl/models/cnn.py``.

Deliberate differences: computes channels-first (N, C, H, W), so images are permuted on the way in
and flattened in Keras's H, W, C order; 'same' is padded by hand, as PyTorch cannot at a stride.
"""

from __future__ import annotations

from torch import Tensor, nn

from parity.specs.cnn import CnnSpec
from torch_impl.layers import SameConv2d, SharedDropout, batch_norm, output_activation


class CnnClassifier(nn.Module):
    """[conv → batch norm → relu → max-pool → spatial dropout] … → flatten → dense … → dense(classes)."""

    def __init__(self, spec: CnnSpec) -> None:
        super().__init__()
        self.conv, self.batch_norm, self.relu = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        self.max_pool, self.spatial_dropout = nn.ModuleList(), nn.ModuleList()
        into = spec.input_shape[-1]
        for channels in spec.channels:
            self.conv.append(SameConv2d(into, channels, spec.kernel_size, stride=spec.stride))
            self.batch_norm.append(batch_norm(spec, channels) if spec.batch_norm else None)
            self.relu.append(nn.ReLU())
            self.max_pool.append(nn.MaxPool2d(2))
            self.spatial_dropout.append(SharedDropout(spec.spatial_rate))
            into = channels
        self.flatten = nn.Flatten()
        self.dense, self.dense_relu = nn.ModuleList(), nn.ModuleList()
        features = spec.flat
        for units in spec.hidden:
            self.dense.append(nn.Linear(features, units))
            self.dense_relu.append(nn.ReLU())
            features = units
        self.logits = nn.Linear(features, spec.outputs)
        self.probabilities = output_activation(spec.head, spec.output)

    def forward(
        self, x: Tensor, lengths: Tensor | None = None, keep: dict[str, Tensor] | None = None
    ) -> Tensor:
        """Map x (N, H, W, C) and keep masks (N, 1, 1, C) by layer to (N, outputs)."""
        keep = {name: mask.permute(0, 3, 1, 2) for name, mask in (keep or {}).items()}
        x = x.permute(0, 3, 1, 2)  # (N, C, H, W), channels last in memory
        for number, (conv, norm, relu, pool, dropout) in enumerate(
            zip(
                self.conv,
                self.batch_norm,
                self.relu,
                self.max_pool,
                self.spatial_dropout,
                strict=True,
            ),
            1,
        ):
            x = conv(x)  # (N, channels, ⌈H/stride⌉, ⌈W/stride⌉)
            if norm is not None:
                x = norm(x)
            x = pool(relu(x))  # (N, channels, ⌊H/2⌋, ⌊W/2⌋)
            x = dropout(x, keep.get(f"spatial_dropout_{number}"))
        x = self.flatten(x.permute(0, 2, 3, 1))  # (N, H·W·channels), in that order
        for dense, relu in zip(self.dense, self.dense_relu, strict=True):
            x = relu(dense(x))  # (N, units)
        x = self.logits(x)  # (N, outputs)
        return self.probabilities(x)  # (N, outputs)
