"""Keras's image augmentation: flips, rotation, translation, zoom, contrast.

The random numbers are arguments, one for each image, so that both frameworks can share them. Images
are (N, C, H, W), or (N, H, W, C) with ``layout="NHWC"``.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from parity.constants import FLAVOURS

LAYOUTS = ("NCHW", "NHWC")
FILL_MODES = ("constant", "nearest", "reflect", "wrap")
INTERPOLATIONS = ("bilinear", "nearest")


def flip(images: Tensor, horizontal: Tensor, vertical: Tensor, *, layout: str = "NCHW") -> Tensor:
    """Flip the selected images left to right and top to bottom.

    In Keras 2 ``RandomFlip("horizontal_and_vertical")`` draws the two independently; in Keras 3 an
    image is flipped in both directions or not at all: pass the same tensor twice.

    Args:
        images: see the module.
        horizontal: bool, (N,).
        vertical: bool, (N,).
        layout: see the module.

    Raises:
        ValueError: shapes do not fit.
    """
    nhwc = _nhwc(images, layout)
    for chosen, axis in ((horizontal, 2), (vertical, 1)):
        mask = _per_image(chosen, len(images), "flip").to(images.device).bool()
        nhwc = torch.where(mask[:, None, None, None], nhwc.flip(axis), nhwc)
    return _back(nhwc, layout)


def rotate(images: Tensor, turns: Tensor, *, flavour: str = "tf_keras", **how: Any) -> Tensor:
    """Rotate images counter-clockwise about their centre.

    Args:
        images: see the module.
        turns: (N,), in full turns (0.25 is 90°), as Keras's ``factor``; use float64 to get the
            same float32 angles as Keras.
        flavour: ``tf_keras`` or ``keras3``, which round the matrix in different orders.
        **how: see :func:`transform`.

    Raises:
        ValueError: see :func:`transform`.
    """
    height, width = _size(images, how.get("layout", "NCHW"))
    return transform(images, rotation_matrices(turns, height, width, flavour), **how)


def translate(images: Tensor, height: Tensor, width: Tensor, **how: Any) -> Tensor:
    """Shift images down and to the right.

    Args:
        images: see the module.
        height: (N,), down, as a share of the images' height; negative: up.
        width: (N,), to the right, as a share of the width; negative: to the left.
        **how: see :func:`transform`.

    Raises:
        ValueError: see :func:`transform`.
    """
    full_height, full_width = _size(images, how.get("layout", "NCHW"))
    down, right = height.float() * full_height, width.float() * full_width
    one, zero = torch.ones_like(down), torch.zeros_like(down)
    matrices = torch.stack([one, zero, -right, zero, one, -down, zero, zero], -1)
    return transform(images, matrices, **how)


def zoom(images: Tensor, height: Tensor, width: Tensor | None = None, **how: Any) -> Tensor:
    """Zoom out of (above 0) or into (below 0) the centre of the images.

    Args:
        images: see the module.
        height: (N,), above −1; with 0.2 the output shows 1.2 times the height.
        width: likewise; None for the same as the height.
        **how: see :func:`transform`.

    Raises:
        ValueError: see :func:`transform`.
    """
    full_height, full_width = _size(images, how.get("layout", "NCHW"))
    y = (1.0 + height).float()
    x = y if width is None else (1.0 + width).float()
    zero = torch.zeros_like(y)
    x_offset = (full_width - 1.0) / 2.0 * (1.0 - x)
    y_offset = (full_height - 1.0) / 2.0 * (1.0 - y)
    return transform(
        images, torch.stack([x, zero, x_offset, zero, y, y_offset, zero, zero], -1), **how
    )


def contrast(
    images: Tensor,
    factors: Tensor,
    *,
    value_range: tuple[float, float] = (0.0, 255.0),
    layout: str = "NCHW",
    flavour: str = "tf_keras",
) -> Tensor:
    """Change the contrast: (x − m)·f + m, clipped, with the mean m of each channel of each image.

    Keras 2 draws one factor for a batch, always clips to 0…255, **also images from 0 to 1**, and
    computes in float32 whatever the dtype; Keras 3 draws one for each image.

    Args:
        images: see the module.
        factors: f, (N,) or a single number.
        value_range: smallest and largest value of the result.
        layout: see the module.
        flavour: ``tf_keras`` (Keras 2) or ``keras3``.

    Raises:
        ValueError: shapes do not fit.
    """
    _known("flavour", flavour, FLAVOURS)
    nhwc = _nhwc(images, layout)
    x = nhwc.float() if flavour == "tf_keras" else nhwc
    factor = factors.to(x)
    if factor.ndim:
        factor = _per_image(factor, len(x), "factors")[:, None, None, None]
    mean = x.mean(1, keepdim=True).mean(2, keepdim=True)
    found = ((x - mean) * factor + mean).to(nhwc.dtype).clamp(*value_range)
    return _back(found, layout)


def rotation_matrices(turns: Tensor, height: int, width: int, flavour: str = "tf_keras") -> Tensor:
    """The matrices (N, 8), float32, of :func:`transform` for rotations by ``turns`` (N,)."""
    _known("flavour", flavour, FLAVOURS)
    if flavour == "tf_keras":
        angles = (turns * 2.0 * math.pi).float()
        cos, sin = angles.cos(), angles.sin()
        x = ((width - 1) - (cos * (width - 1) - sin * (height - 1))) / 2.0
        y = ((height - 1) - (sin * (width - 1) + cos * (height - 1))) / 2.0
    else:
        angles = (turns * 360.0).float() * (math.pi / 180.0)
        cos, sin = angles.cos(), angles.sin()
        middle_x, middle_y = 0.5 * (width - 1), 0.5 * (height - 1)
        x = middle_x - middle_x * cos - middle_y * -sin
        y = middle_y - middle_x * sin - middle_y * cos
    zero = torch.zeros_like(cos)
    return torch.stack([cos, -sin, x, sin, cos, y, zero, zero], -1)


def transform(
    images: Tensor,
    matrices: Tensor,
    *,
    fill_mode: str = "reflect",
    interpolation: str = "bilinear",
    fill_value: float = 0.0,
    layout: str = "NCHW",
) -> Tensor:
    """Transform images by a projective map from output to input coordinates.

    The output at (x, y) is the input at ((a₀x + a₁y + a₂)/k, (b₀x + b₁y + b₂)/k) with
    k = c₀x + c₁y + 1, computed in float32, like bilinear interpolation, **also for float64
    images**. ``reflect`` repeats the edge (dcba|abcd|dcba); that of ``F.grid_sample`` does not.
    Outside the edge ``constant`` blends with the fill value. Halves are rounded away from zero. The
    gradient is exact; TensorFlow's is approximate (it applies the inverse map).
    Source: ``ImageProjectiveTransformV3``, ``tensorflow/core/kernels/image/image_ops.h``.

    Args:
        images: see the module; of a floating dtype.
        matrices: (a₀, a₁, a₂, b₀, b₁, b₂, c₀, c₁) for each image, (N, 8).
        fill_mode: ``constant``, ``nearest``, ``reflect`` or ``wrap``.
        interpolation: ``bilinear`` or ``nearest``.
        fill_value: the value outside the edge, with ``constant``.
        layout: see the module.

    Raises:
        ValueError: a name is not known, or shapes do not fit.
    """
    _known("fill_mode", fill_mode, FILL_MODES)
    _known("interpolation", interpolation, INTERPOLATIONS)
    nhwc = _nhwc(images, layout)
    if not images.is_floating_point():
        raise ValueError(f"images: received {images.dtype}, accepted: a floating dtype")
    count, height, width, _ = nhwc.shape
    if matrices.shape != (count, 8):
        raise ValueError(
            f"matrices: received shape {tuple(matrices.shape)}, accepted: ({count}, 8)"
        )
    a0, a1, a2, b0, b1, b2, c0, c1 = matrices.to(nhwc.device).float()[:, :, None, None].unbind(1)
    y = torch.arange(height, device=nhwc.device, dtype=torch.float32)[:, None]
    x = torch.arange(width, device=nhwc.device, dtype=torch.float32)
    k = c0 * x + c1 * y + 1.0
    source_x = _inside((a0 * x + a1 * y + a2) / k, width, fill_mode)
    source_y = _inside((b0 * x + b1 * y + b2) / k, height, fill_mode)
    if interpolation == "nearest":
        found = _read(nhwc, _rounded(source_y), _rounded(source_x), fill_value)
    else:
        found = _blended(nhwc, source_y, source_x, fill_value).to(nhwc.dtype)
    beyond = torch.full_like(found, fill_value)
    return _back(torch.where((k == 0)[..., None], beyond, found), layout)


def _inside(at: Tensor, length: int, fill_mode: str) -> Tensor:
    """Map coordinates outside the image into it according to the fill mode."""
    if fill_mode == "constant":
        return at
    if fill_mode == "reflect" and length > 1:
        twice = 2 * length
        below = twice * (-at / twice).trunc() + at
        below = torch.where(below < -length, below + twice, -below - 1)
        above = at - twice * (at / twice).trunc()
        above = torch.where(above >= length, twice - above - 1, above)
        at = torch.where(at < 0, below, torch.where(at > length - 1, above, at))
    elif fill_mode == "wrap" and length > 1:
        below = at + length * ((-at / (length - 1)).trunc() + 1)
        above = at - length * (at / (length - 1)).trunc()
        at = torch.where(at < 0, below, torch.where(at > length - 1, above, at))
    return at.clamp(0.0, length - 1.0)


def _rounded(at: Tensor) -> Tensor:
    """Round to the nearest integer, halves away from zero; ``torch.round`` rounds them to even."""
    whole = at.trunc()
    return whole + torch.where((at - whole).abs() >= 0.5, at.sign(), 0.0)


def _blended(images: Tensor, y: Tensor, x: Tensor, fill_value: float) -> Tensor:
    """Bilinear interpolation, float32, (N, H, W, C)."""
    top, left = y.floor(), x.floor()
    bottom, right = top + 1, left + 1
    before, after = (right - x)[..., None], (x - left)[..., None]
    upper, lower = (
        before * _read(images, row, left, fill_value).float()
        + after * _read(images, row, right, fill_value).float()
        for row in (top, bottom)
    )
    return (bottom - y)[..., None] * upper + (y - top)[..., None] * lower


def _read(images: Tensor, y: Tensor, x: Tensor, fill_value: float) -> Tensor:
    """Pixels at integer coordinates (N, H, W); the fill value outside the image."""
    count, height, width, channels = images.shape
    exists = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    row, column = (torch.where(exists, at, 0.0).long() for at in (y, x))
    flat = images.reshape(count, height * width, channels)
    index = (row * width + column).reshape(count, -1, 1).expand(-1, -1, channels)
    found = flat.gather(1, index).reshape(*y.shape, channels)
    return torch.where(exists[..., None], found, torch.full_like(found, fill_value))


def _known(name: str, value: str, accepted: tuple[str, ...]) -> None:
    if value not in accepted:
        raise ValueError(f"{name}: received {value!r}, accepted: {', '.join(accepted)}")


def _per_image(values: Tensor, count: int, name: str) -> Tensor:
    if values.shape != (count,):
        raise ValueError(f"{name}: received shape {tuple(values.shape)}, accepted: ({count},)")
    return values


def _nhwc(images: Tensor, layout: str) -> Tensor:
    _known("layout", layout, LAYOUTS)
    if images.ndim != 4:
        raise ValueError(f"images: received shape {tuple(images.shape)}, accepted: four axes")
    return images.permute(0, 2, 3, 1) if layout == "NCHW" else images


def _back(nhwc: Tensor, layout: str) -> Tensor:
    return nhwc.permute(0, 3, 1, 2) if layout == "NCHW" else nhwc


def _size(images: Tensor, layout: str) -> tuple[int, int]:
    """Height and width."""
    nhwc = _nhwc(images, layout)
    return nhwc.shape[1], nhwc.shape[2]
