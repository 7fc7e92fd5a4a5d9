"""Where the frameworks' arithmetic parts."""

from __future__ import annotations

from parity.reference.difference import Difference

DIFFERENCES = (
    Difference(
        id="numbers.denormal",
        kind="numbers",
        title="TensorFlow takes denormal numbers for zero, PyTorch computes with them",
        what="Numbers below 2.2e-308 in float64, or 1.2e-38 in float32, are read as zero by "
        "TensorFlow's operations on the CPU and never made by them.",
        why="Its threads set the processor's flags for that: denormal numbers are slow. Second "
        "moments of tiny gradients, and states of long sequences, come there.",
        to_torch="torch.set_flush_denormal(True), on processors that can",
        size=0.01,
        measured="1e-310 multiplied by 1e308",
        rung="forward_eval",
        source="tensorflow/core/platform/denormal.h",
    ),
)
