"""Model pairs of other projects, and Keras's own models against PyTorch definitions of ours."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity_tests.pairs.zoo.models import fill
from parity_tests.real_pairs.mobilenet_v2 import MobileNetV2
from parity_tests.real_pairs.resnet50 import ResNet50

SIZE = 64
"""Height and width, in pixels, of the input images of Keras's own models."""


@dataclass(frozen=True)
class RealPair:
    """A Keras and a PyTorch model that their authors consider the same, and the expected result.

    Attributes:
        keras: builds the Keras model.
        torch: builds the PyTorch model.
        inputs: the input of the Keras model, and of the PyTorch model unless torch_inputs is given.
        torch_inputs: the input of the PyTorch model, if it needs another layout.
        causes: the expected ids of causes and latent differences; empty if there are none.
        verdict: the expected verdict.
        where: the expected PyTorch module of the first divergence.
        confirmed: the lines of the library that confirm the result.
        trains: whether training is compared as well.
    """

    keras: Callable[[], Any]
    torch: Callable[[], Any]
    inputs: np.ndarray
    torch_inputs: np.ndarray | None = None
    causes: frozenset[str] = frozenset()
    verdict: str = "same"
    where: str = ""
    confirmed: str = ""
    trains: bool = False

    def training(self) -> dict[str, Any]:
        """Arguments of the check: random targets with the shapes of the outputs, two Adam steps."""
        if not self.trains:
            return {}
        numbers = np.random.default_rng(5)
        outputs = [one for one in self.keras()(self.inputs).values() if hasattr(one, "shape")]
        targets = [numbers.normal(size=one.shape) for one in outputs]
        return {"targets": targets, "loss": "mse", "optimizer": "adam", "steps": 2}


def applications(keras: Any) -> dict[str, RealPair]:
    """Models that Keras ships, with random weights."""
    x = np.random.default_rng(1).normal(size=(2, SIZE, SIZE, 3))

    def pair(name: str, torch: Callable[[int], Any]) -> RealPair:
        def build() -> Any:
            made = getattr(keras.applications, name)
            return fill(made(weights=None, input_shape=(SIZE, SIZE, 3), classes=10), 0.05)

        return RealPair(build, lambda: torch(10), x)

    return {"MobileNetV2": pair("MobileNetV2", MobileNetV2), "ResNet50": pair("ResNet50", ResNet50)}


_TEXT = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "vocab_size": 100,
    "max_position_embeddings": 20,
}
_VISION = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "image_size": 32,
}
_SMALL: dict[str, dict[str, Any]] = {
    "Bert": _TEXT,
    "DistilBert": {
        "dim": 16,
        "n_layers": 2,
        "n_heads": 2,
        "hidden_dim": 32,
        "vocab_size": 100,
        "max_position_embeddings": 20,
    },
    "ViT": {**_VISION, "patch_size": 8},
    "ResNet": {
        "embedding_size": 8,
        "hidden_sizes": [8, 16],
        "depths": [1, 2],
        "layer_type": "basic",
    },
    "ConvNext": {"hidden_sizes": [8, 16], "depths": [1, 2], "num_stages": 2, "image_size": 32},
    "MobileViT": {
        "image_size": 32,
        "hidden_sizes": [8, 12, 16],
        "neck_hidden_sizes": [4, 8, 8, 16, 16, 16, 32],
        "num_attention_heads": 2,
    },
    "Swin": {
        "image_size": 32,
        "patch_size": 4,
        "embed_dim": 8,
        "depths": [1, 1],
        "num_heads": [2, 2],
        "window_size": 4,
    },
    "Wav2Vec2": {
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "conv_dim": (8, 8),
        "conv_stride": (5, 2),
        "conv_kernel": (10, 3),
        "num_feat_extract_layers": 2,
        "num_conv_pos_embeddings": 16,
        "num_conv_pos_embedding_groups": 2,
    },
}
_SMALL["Wav2Vec2, layer_norm_eps=0.001"] = {**_SMALL["Wav2Vec2"], "layer_norm_eps": 1e-3}
"""Small configurations, by model family."""

_WITHOUT_DROPOUT: dict[str, dict[str, Any]] = {
    "Bert": {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0},
    "DistilBert": {"dropout": 0.0, "attention_dropout": 0.0},
    "ViT": {},
    "ResNet": {},
    "ConvNext": {},
    "Wav2Vec2": {
        **{"hidden_dropout": 0.0, "attention_dropout": 0.0, "activation_dropout": 0.0},
        **{"feat_proj_dropout": 0.0, "layerdrop": 0.0, "apply_spec_augment": False},
    },
}
"""Options that switch off all random layers, for the families whose training is compared."""

NAMES = tuple(_SMALL)
"""The pairs of the ``transformers`` package."""

_EXPECTED: dict[str, dict[str, Any]] = {
    "DistilBert": {
        "confirmed": "`modeling_tf_distilbert.py`, `TFMultiHeadSelfAttention.call`: casts query "
        "and key to float32 and takes the softmax there, whatever the model's dtype.",
    },
    "MobileViT": {
        "causes": frozenset({"batch_norm.momentum"}),
        "confirmed": "latent: `modeling_tf_mobilevit.py`, `TFMobileViTConvLayer.__init__` gives "
        "Keras `momentum=0.1`, which is PyTorch's number; in Keras's terms that is 0.9, as "
        "`modeling_tf_resnet.py` has it. After training the moving averages differ. In float64 "
        "the model cannot be called: `TFMobileViTSelfAttention.__init__` makes its scale float32.",
    },
    "Swin": {
        "confirmed": "`modeling_tf_swin.py`, `TFSwinLayer.get_attn_mask` makes its mask float32, "
        "so the model cannot be called in float64.",
    },
    "Wav2Vec2": {
        "confirmed": "`modeling_tf_wav2vec2.py`, `TFWav2Vec2Model`'s main layer casts its inputs "
        "to float32.",
    },
    "Wav2Vec2, layer_norm_eps=0.001": {
        "verdict": "different",
        "where": "feature_extractor.conv_layers.0.layer_norm",
        "causes": frozenset({"unknown"}),
        "confirmed": "`modeling_tf_wav2vec2.py`, `TFWav2Vec2GroupNormConvLayer` gives its group "
        "norm `config.layer_norm_eps`; `modeling_wav2vec2.py`, `Wav2Vec2GroupNormConvLayer` keeps "
        "PyTorch's default of 1e-5. The norm is a class of the package, whose settings the check "
        "does not know: it reports the layer, and the cause as unknown. With 0.001 in PyTorch as "
        "well, the two are the same.",
    },
}
"""Expected results other than SAME without causes, by pair."""


def transformers() -> dict[str, RealPair]:
    """TensorFlow and PyTorch classes of the ``transformers`` package, with random weights."""
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    os.environ["HF_HUB_OFFLINE"] = "1"
    import transformers as library

    library.logging.set_verbosity_error()
    numbers = np.random.default_rng(0)
    images = numbers.normal(size=(2, 3, 32, 32))  # channels-first in both
    inputs = {
        **dict.fromkeys(("Bert", "DistilBert"), numbers.integers(1, 99, (2, 9))),
        "Wav2Vec2": numbers.normal(size=(2, 400)),
    }  # all other families: images

    def pair(name: str) -> RealPair:
        family = name.split(",")[0]
        config = getattr(library, f"{family}Config")(
            **_SMALL[name], **_WITHOUT_DROPOUT.get(family, {})
        )
        x = inputs.get(family, images)

        def build() -> Any:
            draws = np.random.default_rng(0)
            model = getattr(library, f"TF{family}Model")(config)
            model(x)
            for weight in model.weights:  # zeros and ones would hide weights that were not copied
                if weight.dtype.is_floating:
                    value = draws.normal(0, 0.1, weight.shape)
                    weight.assign(np.abs(value) + 0.5 if len(weight.shape) == 1 else value)
            return model

        return RealPair(
            build,
            lambda: getattr(library, f"{family}Model")(config),
            x,
            x if x is images else None,
            trains=name in _WITHOUT_DROPOUT,
            **_EXPECTED.get(name, {}),
        )

    return {name: pair(name) for name in _SMALL}
