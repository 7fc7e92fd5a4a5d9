"""Embeddings.

Sources: ``tf_keras/src/layers/core/embedding.py`` and ``keras/src/layers/core/embedding.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from parity.reference.difference import Difference


@dataclass(frozen=True, kw_only=True)
class Embedding:
    """A vector for each number from 0 to ``input_dim`` − 1."""

    keras: ClassVar[str] = "Embedding"
    input_dim: int
    output_dim: int
    mask_zero: bool


KERAS_DEFAULTS: dict[str, dict[str, Any]] = {
    "Embedding": {"embeddings_initializer": "uniform", "mask_zero": False}
}
TORCH_DEFAULTS: dict[str, dict[str, Any]] = {
    "Embedding": {"padding_idx": None, "max_norm": None, "scale_grad_by_freq": False}
}


def reference(config: Embedding, weights: Mapping[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    """The vectors of x. ``mask_zero`` makes a mask (x != 0) and leaves them as they are.

    Args:
        config: the layer.
        weights: embeddings (input_dim, output_dim).
        x: whole numbers, of any shape.

    Returns:
        (*x.shape, output_dim).
    """
    return np.asarray(weights["embeddings"][x])


_FILE = "keras/src/layers/core/embedding.py"

DIFFERENCES = (
    Difference(
        id="embedding.padding_idx",
        kind="embedding",
        title="Keras trains row 0, PyTorch's padding_idx freezes it",
        what="mask_zero=True leaves row 0 random, and trains it wherever the mask is not heeded. "
        "padding_idx=0 makes the row zero, and it gets no gradient.",
        why="The two options look alike and do different things.",
        to_torch="nn.Embedding without padding_idx; carry the mask (x != 0) apart",
        to_keras="no option; a constraint that sets row 0 to zero comes close",
        size=1,
        measured="gradient of the table, 4 sequences that hold zeros",
        rung="gradients",
        latent=True,
        source=_FILE,
    ),
    Difference(
        id="embedding.mask_zero",
        kind="embedding",
        title="a mask goes from the embedding to the layers behind it",
        what="mask_zero=True marks zeros as padding, and recurrent layers, pools and losses "
        "behind it leave those steps out. nn.Embedding hands on nothing.",
        why="The mask travels in silence, as a tensor's attribute.",
        to_torch="work out x != 0 once and hand it on yourself (see masking.padded_sequences)",
        size=0.3,
        measured="last output of an LSTM behind it, 4 sequences of 2 to 5 steps",
        rung="forward_eval",
        source=_FILE,
    ),
    Difference(
        id="embedding.repeated_ids",
        kind="embedding",
        title="Keras 3 squares the gradients of repeated ids one by one",
        what="Where an id occurs several times in a batch, an adaptive optimizer's second moment "
        "takes Σg² in Keras 3, and (Σg)² in Keras 2 and PyTorch. Only rows that occur are "
        "touched at all.",
        why="Keras 3 hands on TensorFlow's sparse gradients without adding up equal ids first.",
        to_torch="no switch; to restore the usual formula, make the gradient dense in Keras: "
        "tf.convert_to_tensor(gradient) before optimizer.apply",
        size=0.001,
        measured="a table of 7 rows of 3 after one step of Adam at rate 0.001",
        rung="step",
        latent=True,
        flavours=("keras3",),
        source="keras/src/backend/tensorflow/sparse.py",
    ),
    Difference(
        id="embedding.initializer",
        kind="embedding",
        title="uniform within ±0.05 in Keras, standard normal in PyTorch",
        what="Untrained rows are some 35 times as long in PyTorch.",
        why="Each chose its own.",
        to_torch="nn.init.uniform_(weight, −0.05, 0.05), or the very numbers",
        to_keras="embeddings_initializer=RandomNormal(stddev=1)",
        size=70,
        measured="untrained tables of 20 rows of 5",
        rung="parameters",
        latent=True,
        source=_FILE,
    ),
)
