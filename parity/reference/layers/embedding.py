"""Embeddings.

Sources: ``tf_keras/src/layers/core/embedding.py`` and ``keras/src/layers/core/embedding.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from parity.reference.difference import Difference
from parity.reference.layers.kinds import layer_kind


@layer_kind("embedding", weights=("embeddings",))
@dataclass(frozen=True, kw_only=True)
class Embedding:
    """A table of vectors for the integers from 0 to ``input_dim`` − 1."""

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
    """The vectors of x. ``mask_zero`` only adds a mask (x != 0).

    Args:
        config: the layer.
        weights: embeddings (input_dim, output_dim).
        x: integers, of any shape.

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
        what="With mask_zero=True row 0 starts at random values, and is trained wherever the mask "
        "is ignored. padding_idx=0 sets the row to zero, and it receives no gradient.",
        why="The two options look alike but do different things.",
        to_torch="nn.Embedding without padding_idx; pass the mask (x != 0) separately",
        to_keras="no option does it; a constraint that sets row 0 to zero comes close",
        size=1,
        measured="gradient of the table, 4 sequences that contain zeros",
        rung="gradients",
        latent=True,
        source=_FILE,
    ),
    Difference(
        id="embedding.mask_zero",
        kind="embedding",
        title="Keras's embedding passes a mask on to later layers",
        what="mask_zero=True marks zeros as padding; later recurrent layers, pooling layers and "
        "losses skip those steps. nn.Embedding passes no mask on.",
        why="The mask is passed on implicitly, as an attribute of the tensor.",
        to_torch="compute x != 0 once and pass it on explicitly (see masking.padded_sequences)",
        size=0.3,
        measured="last output of an LSTM after it, 4 sequences of 2 to 5 steps",
        rung="forward_eval",
        source=_FILE,
    ),
    Difference(
        id="embedding.repeated_ids",
        kind="embedding",
        title="Keras 3 squares the gradients of repeated ids separately",
        what="If an id occurs several times in a batch, an adaptive optimizer's second moment uses "
        "Σg² in Keras 3 but (Σg)² in Keras 2 and PyTorch. Other rows do not differ.",
        why="Keras 3 passes on TensorFlow's sparse gradients without adding up equal ids first.",
        to_torch="no option does it; to get the usual formula, make the gradient dense in Keras: "
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
        what="Keras draws the table from ±0.05, PyTorch from a standard normal distribution: rows "
        "are about 35 times as long.",
        why="Each chose its own default.",
        to_torch="nn.init.uniform_(weight, −0.05, 0.05), or copy the initial weights",
        to_keras="embeddings_initializer=RandomNormal(stddev=1)",
        size=70,
        measured="untrained tables of 20 rows of 5",
        rung="parameters",
        latent=True,
        source=_FILE,
    ),
)
