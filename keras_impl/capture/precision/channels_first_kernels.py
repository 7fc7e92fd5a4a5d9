"""Channels-first convolutions and pools in float64, which TensorFlow has for float32 only on CPUs.

They are computed channels-last: the input is transposed before, and the output after.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from keras_impl.private_api import kernels_replaced

TENSORS = ("input", "value", "out_backprop")
"""Names of the argument that has the channels, in each operation."""

PER_AXIS = ("strides", "dilations", "ksize")
"""Names of the arguments with one number for each axis."""


@contextlib.contextmanager
def channels_first_in_float64() -> Iterator[None]:
    """Operations that are asked for channels first, in float64, run channels-last meanwhile."""
    with kernels_replaced(KERNELS, _channels_last):
        yield


KERNELS = (
    *("conv2d", "conv3d", "depthwise_conv2d_native", "conv2d_backprop_input"),
    *("conv3d_backprop_input_v2", "max_pool", "avg_pool", "max_pool3d", "avg_pool3d"),
)
"""Names of the operations among TensorFlow's generated functions."""


def _channels_last(original: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(original)

    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        import tensorflow as tf

        given = signature.bind(*args, **kwargs).arguments
        name = next(one for one in TENSORS if one in given)
        first = str(given.get("data_format", "")) in ("NCHW", "NCDHW")
        if not first or getattr(given[name], "dtype", None) != tf.float64:
            return original(*args, **kwargs)
        rank = len(given[name].shape)
        last = [0, *range(2, rank), 1]
        given["data_format"] = "NHWC" if rank == 4 else "NDHWC"
        given[name] = tf.transpose(given[name], last)
        for one in PER_AXIS:
            if given.get(one):
                given[one] = [given[one][axis] for axis in last]
        if given.get("explicit_paddings"):
            pads: Sequence[int] = given["explicit_paddings"]
            given["explicit_paddings"] = [pads[2 * axis + end] for axis in last for end in (0, 1)]
        if "input_sizes" in given:
            given["input_sizes"] = tf.gather(given["input_sizes"], last)
        return tf.transpose(original(**given), [0, rank - 1, *range(1, rank - 1)])

    return call
