"""Known differences in dtypes: code that computes in another dtype than its model."""

from __future__ import annotations

from parity.reference.difference import Difference

DIFFERENCES = (
    Difference(
        id="dtype.float32",
        kind="dtype",
        title="TensorFlow code rounds Python numbers to float32, even in a float64 model",
        what="tf.cast(tf.sqrt(2.0), x.dtype) converts 2.0 to float32, takes the root in float32, "
        "and converts that to float64; tf.cast(8, tf.float32) and tf.cast(x, tf.float32) round as "
        "well. PyTorch converts a Python number to the tensor's dtype: x / math.sqrt(2.0) keeps "
        "all digits.",
        why="tf.constant and tf.cast convert a Python float without a dtype to float32. In float32 "
        "nothing differs. This is rounding, not a fault: parity check also computes the expression "
        "in float64, and reports if the difference disappears.",
        to_torch="nothing to do; for equal digits in float64: x / numpy.float32(2.0 ** 0.5)",
        to_keras="tf.constant(2.0 ** 0.5, x.dtype)",
        size=2e-8,
        measured="100 vectors of 5, divided by the root of 2",
        rung="forward_eval",
        source="tensorflow/python/ops/math_ops.py (cast)",
    ),
)
