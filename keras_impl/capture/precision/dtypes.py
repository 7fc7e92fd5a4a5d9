"""The default dtype of Keras, set for a while."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from keras_impl.capture.precision.channels_first_kernels import channels_first_in_float64
from keras_impl.capture.precision.float64_kernels import exact
from keras_impl.capture.precision.resize_kernels import resize_in_float64


@contextlib.contextmanager
def in_dtype(keras: Any, flavour: str, dtype: str) -> Iterator[None]:
    """Layers made meanwhile compute in ``dtype``."""
    before = keras.backend.floatx()
    policy = keras.config.dtype_policy() if flavour == "keras3" else None
    old = keras.mixed_precision.global_policy() if flavour == "tf_keras" else None
    keras.backend.set_floatx(dtype)
    if flavour == "keras3":
        keras.config.set_dtype_policy(dtype)
    else:
        keras.mixed_precision.set_global_policy(dtype)
    try:
        with exact(keras), channels_first_in_float64(), resize_in_float64():
            yield
    finally:
        keras.backend.set_floatx(before)
        if flavour == "keras3":
            keras.config.set_dtype_policy(policy)
        else:
            keras.mixed_precision.set_global_policy(old)
