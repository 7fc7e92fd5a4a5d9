"""Bilinear and bicubic resizing in float64: TensorFlow's operations return float32 for any input.

Sources: ``tensorflow/core/kernels/image/resize_bilinear_op.cc`` and ``resize_bicubic_op.cc``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

TABLE = 1024
"""Steps in which the bicubic kernel is tabulated."""


def resized(kind: str, inputs: Sequence[Any], attributes: dict[str, Any]) -> Any:
    """The output in float64; None for other operations.

    Args:
        kind: of the operation.
        inputs: the images (N, H, W, C), and the sizes of the output.
        attributes: of the operation.
    """
    import tensorflow as tf

    weights_of = WEIGHTS.get(kind)
    if weights_of is None:
        return None
    images, sizes = tf.cast(inputs[0], tf.float64), [int(one) for one in inputs[1]]
    corners = bool(attributes.get("align_corners"))
    centers = bool(attributes.get("half_pixel_centers"))
    rows, columns = (
        tf.constant(weights_of(int(images.shape[axis]), size, corners, centers))
        for axis, size in zip((1, 2), sizes, strict=True)
    )
    return tf.einsum("iy,jx,nyxc->nijc", rows, columns, images)


def _places(count: int, size: int, corners: bool, centers: bool) -> np.ndarray:
    """Where in the input each entry of the output is."""
    scale = (count - 1) / (size - 1) if corners and size > 1 else count / size
    return (np.arange(size) + 0.5) * scale - 0.5 if centers else np.arange(size) * scale


def _linear(count: int, size: int, corners: bool, centers: bool) -> np.ndarray:
    """(size, count): the share of each entry of the input in each of the output."""
    places = np.clip(_places(count, size, corners, centers), 0.0, None)
    low = np.minimum(np.floor(places).astype(int), count - 1)
    found = np.zeros((size, count))
    np.add.at(found, (np.arange(size), low), 1.0 - (places - low))
    np.add.at(found, (np.arange(size), np.minimum(low + 1, count - 1)), places - low)
    return found


def _cubic(count: int, size: int, corners: bool, centers: bool) -> np.ndarray:
    """Likewise, with Keys's kernel; entries beyond the edge count only without half pixels."""
    a = -0.5 if centers else -0.75
    places = _places(count, size, corners, centers)
    low = np.floor(places).astype(int)
    share = np.rint((places - low) * TABLE) / TABLE
    found = np.zeros((size, count))
    for offset in (-1, 0, 1, 2):
        x = np.abs(share - offset)
        near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
        far = ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a
        weight = np.where(x <= 1.0, near, np.where(x < 2.0, far, 0.0))
        at = low + offset
        inside = (at >= 0) & (at < count)
        weight = np.where(inside, weight, 0.0) if centers else weight
        np.add.at(found, (np.arange(size), np.clip(at, 0, count - 1)), weight)
    return found / found.sum(1, keepdims=True) if centers else found


WEIGHTS = {"ResizeBilinear": _linear, "ResizeBicubic": _cubic}
