"""``parity convert`` of layers whose weights lie otherwise in either framework."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from keras_impl.capture import files
from parity.pairs.convert import convert
from parity_tests.pairs.zoo import kinds
from parity_tests.pairs.zoo.building import filled

pytestmark = pytest.mark.flavour

NAMES = (
    *("attention.self", "attention.cross", "separable2d", "depthwise2d", "conv2d_transpose.same"),
    *("gru.sequences", "lstm.masked_bidirectional", "prelu.channels", "conv3d.zeros"),
)


@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=[pytest.mark.full] * ("lstm" in one)) for one in NAMES]
)
def test_there_and_back(name: str, flavour: str, tmp_path: Path) -> None:
    """Nothing is left behind, the models compute the same, and Keras's come back to the bit."""
    kind = next(one for one in kinds.ALL if one.name == name)
    keras = importlib.import_module({"tf_keras": "tf_keras", "keras3": "keras"}[flavour])
    torch.manual_seed(0)
    pair: dict[str, Any] = {
        "keras_model": lambda: kind.keras(keras),
        "torch_model": kind.torch,
        "inputs": kind.inputs(),
    }
    model = filled(pair["keras_model"]())
    source, there = tmp_path / "own.weights.h5", tmp_path / "there.safetensors"
    files.save(model, source)
    made = convert(source, there, pair)
    assert (made.same, made.not_copied) == (True, ())
    assert made.weights == sum(one.size for one in model.get_weights())
    back = tmp_path / "back.weights.h5"
    assert convert(there, back, pair).same
    found = pair["keras_model"]()
    found.load_weights(back)
    assert all(map(np.array_equal, found.get_weights(), model.get_weights()))
