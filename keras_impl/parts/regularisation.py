"""Penalties and constraints of a spec, as options of Keras's layers.

Twin: ``torch_impl/parts/regularisation.py``. Deliberate differences: here they are
options of each layer, there they are applied to the built model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras_impl.framework import keras
from parity.constants import as_float32
from parity.specs.base import ModelSpec


def regularisation(spec: ModelSpec, axis: int | Sequence[int] = 0) -> dict[str, Any]:
    """Options of a dense layer or a convolution, for its weights and its output.

    Args:
        spec: the model.
        axis: axes of the kernel's norm: all except the last.
    """
    activity = _penalty(spec.activity_l1, spec.activity_l2)
    return {**of_weights(spec, axis), "activity_regularizer": activity}


def of_weights(spec: ModelSpec, axis: int | Sequence[int] = 0) -> dict[str, Any]:
    """Options of any layer with a kernel. See :func:`regularisation`."""
    return {
        "kernel_regularizer": _penalty(spec.l1, spec.l2),
        "bias_regularizer": _penalty(spec.bias_l1, spec.bias_l2),
        "kernel_constraint": _constraint(spec, axis),
    }


def _penalty(l1: float, l2: float) -> Any:
    """The penalty λ₁·Σ|x| + λ₂·Σx² (for outputs the mean over the batch); None if it is 0."""
    return keras.regularizers.L1L2(as_float32(l1), as_float32(l2)) if l1 or l2 else None


def _constraint(spec: ModelSpec, axis: int | Sequence[int]) -> Any:
    """The constraint that the optimizer applies after each step, or None."""
    if spec.non_negative:
        return keras.constraints.NonNeg()
    return keras.constraints.MaxNorm(as_float32(spec.max_norm), axis) if spec.max_norm else None
