"""Resizing of images in float64; TensorFlow's kernels give float32 whatever the input."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from keras_impl.private_api import image_functions_replaced
from parity.reference.layers.windowed.padding import ALIGNED
from parity.reference.layers.windowed.resizing import shares


@contextlib.contextmanager
def resize_in_float64() -> Iterator[None]:
    """``tf.image.resize`` of float64 images gives float64 meanwhile, if it is bilinear."""

    def bilinear(original: Any) -> Any:
        def replaced(images: Any, size: Any, **options: Any) -> Any:
            aligned = bool(options.get("align_corners"))
            legacy = not aligned and not options.get("half_pixel_centers")
            found = None if legacy else _resized(images, size, ALIGNED if aligned else "bilinear")
            return original(images, size, **options) if found is None else found

        return replaced

    def scaled(original: Any) -> Any:
        def replaced(images: Any, size: Any, *places: Any, **options: Any) -> Any:
            triangle = options.get("kernel_type") == "triangle"
            found = _resized(images, size, "bilinear", True) if triangle else None
            return original(images, size, *places, **options) if found is None else found

        return replaced

    with image_functions_replaced({"resize_bilinear": bilinear, "scale_and_translate": scaled}):
        yield


def _resized(images: Any, size: Any, interpolation: str, antialias: bool = False) -> Any:
    """The resized images (N, H, W, C); None if they are not float64, or of unknown size."""
    import tensorflow as tf

    new = tf.get_static_value(size)
    if images.dtype != tf.float64 or new is None or None in tuple(images.shape[1:3]):
        return None
    rows, columns = (
        tf.constant(shares(int(n), int(m), interpolation, antialias))
        for n, m in zip(images.shape[1:3], new, strict=True)
    )
    return tf.einsum("nhwc,Hh,Ww->nHWc", images, rows, columns)
