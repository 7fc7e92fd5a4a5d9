"""Where code computes in another dtype than its model."""

from __future__ import annotations

from parity.reference.difference import Difference

DIFFERENCES = (
    Difference(
        id="dtype.float32",
        kind="dtype",
        title="TensorFlow code rounds Python numbers to float32, also in a float64 model",
        what="tf.cast(tf.sqrt(2.0), x.dtype) makes a float32 of 2.0, takes its root in float32, "
        "and casts that to float64; tf.cast(8, tf.float32) and tf.cast(x, tf.float32) do as much. "
        "PyTorch takes a Python number into the other operand's dtype: x / math.sqrt(2.0) has all "
        "digits.",
        why="tf.constant and tf.cast give float32 to a Python float that comes without a dtype. In "
        "float32 nothing shows. It is rounding, and no fault: parity check computes it in float64 "
        "as well, and says so where that leaves nothing of a difference.",
        to_torch="nothing to do; to have the same digits in float64: x / numpy.float32(2.0 ** 0.5)",
        to_keras="tf.constant(2.0 ** 0.5, x.dtype)",
        size=2e-8,
        measured="100 vectors of 5, divided by the root of 2",
        rung="forward_eval",
        source="tensorflow/python/ops/math_ops.py (cast)",
    ),
)
