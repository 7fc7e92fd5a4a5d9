"""Reader of multi-head attention, and its mask."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_impl.capture.read.arguments import mask_of
from keras_impl.capture.read.registry import Config, reader
from parity.reference.layers import attention


@reader("MultiHeadAttention", weight_name=lambda _, path: "/".join(path[-2:]))
def _attention(layer: Any) -> Config:
    """None if it attends along other axes than the second."""
    config = layer.get_config()
    axes = config.get("attention_axes")
    if (axes is not None and list(axes) != [1]) or config.get("output_shape") is not None:
        return None
    return attention.MultiHeadAttention(
        num_heads=config["num_heads"],
        key_dim=config["key_dim"],
        value_dim=config["value_dim"] or config["key_dim"],
        use_bias=bool(config["use_bias"]),
    )


def attended(query: Any, value: Any, given: dict[str, Any]) -> np.ndarray | None:
    """Bool (N, T, S) of who may attend to whom, or (N, heads, T, S); None where all may.

    A given mask may have any shape that is broadcast to it; axes before the last two are added as
    Keras adds them, that of the heads before T.
    """
    count, size, places = query.shape[0], query.shape[1], value.shape[1]
    mask = np.ones((count, size, places), bool)
    explicit = given.get("attention_mask")
    if explicit is not None:
        own = np.asarray(explicit).astype(bool)
        if own.ndim == 4 and own.shape[1] > 1:
            mask = mask[:, None]
        elif own.ndim == 4:
            own = own[:, 0]
        mask = mask & own
    if given.get("use_causal_mask"):
        mask = mask & np.tril(np.ones((size, places), bool))
    for axis, name, tensor in ((-1, "query_mask", query), (-2, "value_mask", value)):
        shown = given.get(name)
        shown = mask_of(tensor) if shown is None else np.asarray(shown).astype(bool)
        if shown is not None:
            shown = np.expand_dims(shown, axis)
            mask = mask & (shown[:, None] if mask.ndim == 4 else shown)
    return None if mask.all() else mask
