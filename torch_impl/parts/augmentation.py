"""Random image augmentation in training, with shared random draws.

Twin: ``keras_impl/parts/augmentation.py``. Deliberate differences: here images are channels-first.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from parity.constants import as_float32
from parity.specs.cnn import AUGMENTATION_DRAWS, CONTRAST_RANGE, CnnSpec
from torch_impl.nn import contrast, flip, transform


def augmentation(spec: CnnSpec) -> Augmentation | None:
    """The augmentation layer of a spec; None if it has none."""
    return Augmentation(spec) if spec.augments else None


class Augmentation(nn.Module):
    """Flip → rotation → shift → zoom → contrast, each if the spec has it.

    These are Keras's ``RandomFlip``, ``RandomRotation``, ``RandomTranslation``, ``RandomZoom`` and
    ``RandomContrast`` with the defaults bilinear and reflect, but with one contrast factor per
    image in Keras 2, too. Angles and maps are computed in float64 and rounded to float32, the dtype
    of interpolation for images of any dtype.
    """

    def __init__(self, spec: CnnSpec) -> None:
        super().__init__()
        self.spec = spec

    def forward(self, x: Tensor, drawn: Tensor | None = None) -> Tensor:
        """Map x (N, C, H, W) with numbers from 0 to 1, (N, 7), to x's shape and dtype.

        Raises:
            ValueError: ``drawn`` is None in training mode.
        """
        if not self.training:
            return x
        if drawn is None:
            raise ValueError("drawn: received None in training mode, accepted: numbers (N, 7)")
        spec, height, width = self.spec, x.shape[2], x.shape[3]
        drawn = drawn.double()  # (N, 7)
        given = dict(zip(AUGMENTATION_DRAWS, drawn.unbind(1), strict=True))
        by = {name: value * 2.0 - 1.0 for name, value in given.items()}  # from −1 to 1
        # Keras 3 flips an image in both directions or not at all
        vertical = given["vertical" if spec.flavour == "tf_keras" else "horizontal"]
        never = torch.zeros_like(vertical, dtype=torch.bool)
        if spec.flip in ("horizontal", "both"):
            x = flip(x, given["horizontal"] < 0.5, never)
        if spec.flip in ("vertical", "both"):
            x = flip(x, never, vertical < 0.5)
        if spec.rotation:
            turns = by["rotation"] * as_float32(spec.rotation)
            x = transform(x, _rotations(turns, height, width))
        if spec.shift:
            down, right = (by[way] * as_float32(spec.shift) for way in ("down", "right"))
            one = torch.ones_like(down)
            x = transform(x, _matrices(one, 0 * one, -right * width, 0 * one, one, -down * height))
        if spec.zoom:
            scale = by["zoom"] * as_float32(spec.zoom) + 1.0
            left, top = (1.0 - scale) * (0.5 * (width - 1)), (1.0 - scale) * (0.5 * (height - 1))
            x = transform(x, _matrices(scale, 0 * scale, left, 0 * scale, scale, top))
        if spec.contrast:
            factor = by["contrast"] * as_float32(spec.contrast) + 1.0
            # this flavour computes in the images' dtype
            x = contrast(x, factor, value_range=CONTRAST_RANGE, flavour="keras3")
        return x


def _rotations(turns: Tensor, height: int, width: int) -> Tensor:
    """Maps (N, 8) of counter-clockwise rotations about the centre by ``turns`` (N,)."""
    cos, sin = torch.cos(turns * (2.0 * math.pi)), torch.sin(turns * (2.0 * math.pi))
    x = ((width - 1) - (cos * (width - 1) - sin * (height - 1))) / 2.0
    y = ((height - 1) - (sin * (width - 1) + cos * (height - 1))) / 2.0
    return _matrices(cos, -sin, x, sin, cos, y)


def _matrices(*rows: Tensor) -> Tensor:
    """Six numbers per image, each (N,), as Keras's maps from output to input (N, 8), float32."""
    zero = torch.zeros_like(rows[0])
    return torch.stack([*rows, zero, zero], 1).float()
