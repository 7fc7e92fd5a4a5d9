"""Known differences in the frameworks' arithmetic."""

from __future__ import annotations

from parity.reference.difference import Difference

DIFFERENCES = (
    Difference(
        id="numbers.denormal",
        kind="numbers",
        title="TensorFlow treats denormal numbers as zero, PyTorch computes with them",
        what="TensorFlow's CPU operations read numbers below 2.2e-308 (float64) or 1.2e-38 "
        "(float32) as zero and never produce them.",
        why="Denormal arithmetic is slow, so TensorFlow's threads set the processor's "
        "flush-to-zero flags. Second moments of tiny gradients and states of long sequences get "
        "this small.",
        to_torch="torch.set_flush_denormal(True), on processors that support it",
        size=0.01,
        measured="1e-310 multiplied by 1e308",
        rung="forward_eval",
        source="tensorflow/core/platform/denormal.h",
    ),
)
