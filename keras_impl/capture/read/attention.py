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
    """Bool (N, T, S) of who may attend to whom; None where all may."""
    count, size, places = query.shape[0], query.shape[1], value.shape[1]
    mask = np.ones((count, size, places), bool)
    explicit = given.get("attention_mask")
    if explicit is not None:
        mask &= np.asarray(explicit).astype(bool).reshape(-1, size, places)
    if given.get("use_causal_mask"):
        mask &= np.tril(np.ones((size, places), bool))
    own, other = mask_of(query), mask_of(value)
    if own is not None:
        mask &= own[:, :, None]
    if other is not None:
        mask &= other[:, None, :]
    return None if mask.all() else mask
