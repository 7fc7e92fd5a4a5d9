"""Names of dtypes and Keras versions, and the float32 rounding of constants."""

from __future__ import annotations

import struct

DTYPES = ("float64", "float32")
"""Accepted dtypes; the first one decides the verdict."""

FLAVOURS = ("tf_keras", "keras3")
"""Keras versions whose semantics a spec can follow: Keras 2 (``tf_keras``) and Keras 3."""


def as_float32(value: float) -> float:
    """Return the float32 nearest to a Python float, as a Python float.

    Keras converts Python floats (learning rate, momentum, betas, slopes) to float32 even when it
    computes in float64 (``tf.cast(python_float, float64)``). Both implementations therefore round
    every constant of a spec with this function, so that the rounding causes no difference.

    Raises:
        OverflowError: the value is finite but too large for float32.
    """
    return float(struct.unpack("<f", struct.pack("<f", value))[0])
