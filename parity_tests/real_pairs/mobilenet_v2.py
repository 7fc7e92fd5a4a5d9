"""MobileNetV2 in PyTorch, with the settings of ``keras.applications``.

Source: Sandler et al., "MobileNetV2: Inverted residuals and linear bottlenecks", 2018, table 2.
Keras adds: ε = 1e-3, momentum 0.999, and the padding of strided convolutions.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

TABLE = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Expansion t, channels c, repeats n, stride s of the first."""


class ConvNorm(nn.Module):
    """A convolution without bias, normalised; a stride of 2 pads the bottom and the right."""

    def __init__(
        self, into: int, out: int, size: int = 1, stride: int = 1, groups: int = 1, act: bool = True
    ) -> None:
        super().__init__()
        self.sides = (0, 1, 0, 1) if stride == 2 else (size // 2,) * 4
        self.conv = nn.Conv2d(into, out, size, stride, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(out, eps=1e-3, momentum=0.001)
        self.act = nn.ReLU6() if act else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, into, H, W) to (N, out, ⌈H/stride⌉, ⌈W/stride⌉)."""
        return self.act(self.norm(self.conv(F.pad(x, self.sides))))


class Block(nn.Module):
    """Widen, filter each channel, narrow; the input is added where shapes allow."""

    def __init__(self, into: int, out: int, expansion: int, stride: int) -> None:
        super().__init__()
        wide = into * expansion
        steps = [ConvNorm(into, wide)] if expansion > 1 else []
        steps.append(ConvNorm(wide, wide, 3, stride, groups=wide))
        steps.append(ConvNorm(wide, out, act=False))
        self.steps = nn.Sequential(*steps)
        self.adds = stride == 1 and into == out

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, into, H, W) to (N, out, …)."""
        y = self.steps(x)
        return x + y if self.adds else y


class MobileNetV2(nn.Module):
    """From images (N, 3, H, W) to probabilities (N, classes)."""

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.stem = ConvNorm(3, 32, 3, 2)
        blocks, into = [], 32
        for expansion, out, repeats, stride in TABLE:
            for place in range(repeats):
                blocks.append(Block(into, out, expansion, stride if place == 0 else 1))
                into = out
        self.blocks = nn.Sequential(*blocks)
        self.head = ConvNorm(into, 1280)
        self.classes = nn.Linear(1280, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Probabilities of each class."""
        x = self.head(self.blocks(self.stem(x)))
        return self.classes(x.mean((2, 3))).softmax(-1)
