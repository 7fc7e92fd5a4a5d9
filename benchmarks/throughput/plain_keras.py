"""The models as in a Keras tutorial, for any version of Keras."""

from __future__ import annotations

from typing import Any

from benchmarks.throughput.workloads import CLASSES, Workload

KINDS = (
    *("BatchNormalization", "Conv2D", "Dense", "Dropout", "Flatten", "GRU", "LSTM"),
    *("Masking", "MaxPooling2D", "ReLU", "SpatialDropout2D"),
)
"""Names of the layers that the models use."""


def model(layers: Any, keras: Any, workload: Workload) -> Any:
    """A Sequential model from ``layers``, for one example's shape, that returns logits."""
    stack = [keras.Input(workload.shape)]
    for channels in workload.channels:
        relu = None if workload.batch_norm else "relu"
        stack.append(layers.Conv2D(channels, 3, padding="same", activation=relu))
        if workload.batch_norm:
            stack += [layers.BatchNormalization(), layers.ReLU()]
        stack.append(layers.MaxPooling2D())
        if workload.rate:
            stack.append(layers.SpatialDropout2D(workload.rate))
    if workload.cell:
        if workload.masked:
            stack.append(layers.Masking())
        kind = {"gru": layers.GRU, "lstm": layers.LSTM}[workload.cell]
        stack.append(kind(workload.units))
    else:
        stack.append(layers.Flatten())
    for units in workload.hidden:
        stack.append(layers.Dense(units, activation="relu"))
        if workload.rate and not workload.channels:
            stack.append(layers.Dropout(workload.rate))
    return keras.Sequential([*stack, layers.Dense(CLASSES)])
