"""Names of dtypes and flavours, and the one rounding that both frameworks must share."""

from __future__ import annotations

import struct

DTYPES = ("float64", "float32")
"""Accepted dtypes, the deciding one first."""

FLAVOURS = ("tf_keras", "keras3")
"""The Kerases whose semantics a spec can follow: Keras 2 (``tf_keras``) and Keras 3."""


def as_float32(value: float) -> float:
    """Round a Python float to the nearest float32 and give it back as a Python float.

    Keras casts Python floats (learning rate, momentum, betas, slopes) through float32 even in
    float64 (``tf.cast(python_float, float64)``). Both twins therefore take every constant of a
    spec through this function: a rounded constant is no fault, so it must not look like one.
    """
    return float(struct.unpack("<f", struct.pack("<f", value))[0])
