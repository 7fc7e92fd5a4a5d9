"""All demonstrations and all configurations that references are held against."""

from __future__ import annotations

from parity_tests.catalogue import (
    Demonstration,
    activations,
    attention,
    batch_norm,
    bidirectional,
    conv,
    conv_transpose,
    dense,
    dropout,
    dtypes,
    embedding,
    flatten,
    gru,
    layer_norm,
    losses,
    lstm,
    masking,
    merging,
    metrics,
    numbers,
    optimizers,
    padding,
    pooling,
    simple_rnn,
)

LAYERS = (
    dense,
    activations,
    conv,
    conv_transpose,
    pooling,
    padding,
    flatten,
    merging,
    batch_norm,
    layer_norm,
    dropout,
    embedding,
    simple_rnn,
    lstm,
    gru,
    bidirectional,
    masking,
    attention,
)
"""In the order of :data:`parity.reference.catalogue.LAYERS`, each with its ``REFERENCES``."""

DEMONSTRATIONS: dict[str, Demonstration] = {
    name: shown
    for room in (*LAYERS, losses, metrics, optimizers, dtypes, numbers)
    for name, shown in room.DEMONSTRATIONS.items()
}
"""Id of a difference to what shows it."""
