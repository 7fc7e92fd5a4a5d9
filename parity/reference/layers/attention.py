"""Multi-head attention.

Sources: Vaswani et al., "Attention is all you need", 2017;
``tf_keras/src/layers/attention/multi_head_attention.py`` and
``keras/src/layers/attention/multi_head_attention.py``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from parity.constants import as_float32
from parity.reference.difference import Difference
from parity.reference.layers.activations import softmax
from parity.reference.layers.kinds import layer_kind


@layer_kind("attention", weights=("kernel", "bias"))
@dataclass(frozen=True, kw_only=True)
class MultiHeadAttention:
    """Attention heads of size ``key_dim`` for queries and keys and ``value_dim`` for values."""

    keras: ClassVar[str] = "MultiHeadAttention"
    num_heads: int
    key_dim: int
    value_dim: int
    use_bias: bool


KERAS_DEFAULTS: dict[str, dict[str, Any]] = {
    "MultiHeadAttention": {"value_dim": None, "dropout": 0.0, "use_bias": True}
}
TORCH_DEFAULTS: dict[str, dict[str, Any]] = {
    "MultiheadAttention": {"dropout": 0.0, "bias": True, "batch_first": False, "kdim": None}
}


def reference(
    config: MultiHeadAttention,
    weights: Mapping[str, np.ndarray],
    query: np.ndarray,
    value: np.ndarray,
    key: np.ndarray | None = None,
    attention_mask: np.ndarray | None = None,
    attention_bias: np.ndarray | None = None,
    flavour: str = "tf_keras",
) -> np.ndarray:
    """Multi-head attention.

    Args:
        config: the layer.
        weights: query/kernel and key/kernel (in, heads, key_dim), value/kernel (in, heads,
            value_dim), attention_output/kernel (heads, value_dim, in); biases without the
            input axis.
        query: (N, T, in).
        value: (N, S, in of the values).
        key: (N, S, in of the keys); None for the values.
        attention_mask: bool (N, T, S), or (N, heads, T, S), true where a query may attend; None for
            everywhere.
        attention_bias: added to the scores, of a shape that is broadcast to (N, heads, T, S), the
            heads left out where it is (N, T, S); None for nothing.
        flavour: the Keras version; Keras 3 rounds 1/√key_dim to float32. A query that may attend
            nowhere attends everywhere, in Keras 2 as without a mask, in Keras 3 equally.

    Returns:
        (N, T, in).
    """

    def projected(name: str, x: np.ndarray) -> np.ndarray:
        found: np.ndarray = np.einsum("nti,ihk->nhtk", x, weights[f"{name}/kernel"])
        bias = weights.get(f"{name}/bias")
        return found if bias is None else found + bias[:, None]

    key = value if key is None else key
    q, k, v = projected("query", query), projected("key", key), projected("value", value)
    scale = 1.0 / math.sqrt(config.key_dim)
    scores = q @ k.swapaxes(-1, -2) * (as_float32(scale) if flavour == "keras3" else scale)
    if attention_bias is not None:
        scores = scores + (attention_bias[:, None] if attention_bias.ndim == 3 else attention_bias)
    if attention_mask is not None:
        mask = attention_mask[:, None] if attention_mask.ndim == 3 else attention_mask
        hidden = scores - 1e9 if flavour == "tf_keras" else -1e9  # the same where some are shown
        scores = np.where(mask, scores, hidden)
    heads = softmax(scores) @ v
    found = np.einsum("nhtk,hko->nto", heads, weights["attention_output/kernel"])
    return np.asarray(found + weights.get("attention_output/bias", 0.0))


_FILE = "keras/src/layers/attention/multi_head_attention.py"

DIFFERENCES = (
    Difference(
        id="attention.packed_projection",
        kind="attention",
        title="three kernels (in, heads, key_dim) in Keras, one (3·in, in) in PyTorch",
        what="in_proj_weight stacks the transposed kernels of query, key and value; within each, "
        "the rows are ordered by head. out_proj.weight is (in, heads·dim).",
        why="Square blocks that were reshaped but not transposed load without an error.",
        to_torch="kernel.reshape(in, −1).T for each of the three, then torch.cat; out_proj.weight "
        "= kernel.reshape(−1, in).T",
        to_keras="the same operations in reverse",
        size=0.8,
        measured="2 sequences of 5 steps, 8 features, 2 heads of 4",
        rung="forward_eval",
        source=_FILE,
    ),
    Difference(
        id="attention.key_dim",
        kind="attention",
        title="the size of a head is free in Keras, features / heads in PyTorch",
        what="Keras's key_dim is the size of one head, and scores are divided by √key_dim. "
        "nn.MultiheadAttention divides embed_dim among the heads, so no other size is possible.",
        why="Ports that implement the heads themselves divide by √(features / heads).",
        to_torch="separate projections and F.scaled_dot_product_attention, which divides by the "
        "root of the head's actual size",
        to_keras="key_dim=embed_dim // num_heads",
        size=0.2,
        measured="2 sequences of 5 steps, 8 features, 2 heads of 16, divided by √4",
        rung="forward_eval",
        source=_FILE,
    ),
    Difference(
        id="attention.float32_scale",
        kind="attention",
        title="Keras 3 rounds 1/√key_dim to float32, even in a float64 model",
        what="Keras 3 multiplies the scores by 1/√key_dim, a Python float that TensorFlow rounds "
        "to float32.",
        why="In float32 nothing differs. Sizes whose root is a power of two (4, 16, 64) do not "
        "show it.",
        to_torch="scale=float(np.float32(key_dim**-0.5)) in F.scaled_dot_product_attention",
        size=6e-09,
        measured="2 sequences of 5 steps, 8 features, 2 heads of 3",
        rung="forward_eval",
        flavours=("keras3",),
        source="keras/src/layers/attention/multi_head_attention.py",
    ),
    Difference(
        id="attention.mask_polarity",
        kind="attention",
        title="true means attend in Keras, ignore in nn.MultiheadAttention",
        what="Keras's attention_mask is true where a query may attend. attn_mask and "
        "key_padding_mask of nn.MultiheadAttention are true where it may not. "
        "F.scaled_dot_product_attention uses Keras's convention.",
        why="There are two conventions, and PyTorch uses both.",
        to_torch="attn_mask=~mask",
        to_keras="attention_mask=~mask",
        size=1,
        measured="each step may attend to its neighbours, 2 sequences of 5 steps",
        rung="forward_eval",
        source="torch/nn/modules/activation.py (MultiheadAttention)",
    ),
)
