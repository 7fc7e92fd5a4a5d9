"""ResNet-50 in PyTorch, with the settings of ``keras.applications``.

Source: He et al., "Deep residual learning for image recognition", 2015, table 1. Keras adds:
biases in convolutions, ε = 1.001e-5, the stride in a block's first convolution.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

TABLE = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
"""Width, blocks, stride of the first."""


def norm(channels: int) -> nn.BatchNorm2d:
    """Keras's constants."""
    return nn.BatchNorm2d(channels, eps=1.001e-5, momentum=0.01)


class Bottleneck(nn.Module):
    """Three convolutions, and the input, projected where shapes differ."""

    def __init__(self, into: int, width: int, stride: int, projects: bool) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(into, width, 1, stride), norm(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, padding=1), norm(width)
        self.conv3, self.bn3 = nn.Conv2d(width, 4 * width, 1), norm(4 * width)
        self.shortcut = (
            nn.Sequential(nn.Conv2d(into, 4 * width, 1, stride), norm(4 * width))
            if projects
            else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, into, H, W) to (N, 4·width, …)."""
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.shortcut(x) + self.bn3(self.conv3(y)))


class ResNet50(nn.Module):
    """From images (N, 3, H, W) to probabilities (N, classes)."""

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 64, 7, 2, padding=3), norm(64)
        blocks, into = [], 64
        for width, repeats, stride in TABLE:
            for place in range(repeats):
                blocks.append(Bottleneck(into, width, stride if place == 0 else 1, place == 0))
                into = 4 * width
        self.layers = nn.Sequential(*blocks)
        self.fc = nn.Linear(into, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Probabilities of each class."""
        x = F.max_pool2d(F.relu(self.bn(self.conv(x))), 3, 2, padding=1)
        x = self.layers(x)
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1)).softmax(-1)
