"""Pairs of the ``transformers`` package: verdicts, causes and the generated page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity.pairs.check import check
from parity.pairs.forward.float32_islands import ID
from parity_tests.real_pairs import pairs
from parity_tests.real_pairs.__main__ import HEAD
from parity_tests.support.selection import first_of_each

PAGE = Path(__file__).parents[2] / "docs" / "real_pairs.md"

IN_FLOAT32 = ("MobileViT", "Swin")
"""Families whose TensorFlow code cannot be called in float64."""

BY_ITSELF = tuple(name for name in pairs.NAMES if name not in (*IN_FLOAT32, "ResNet"))
"""Families whose TensorFlow code computes in float32 whatever the dtype."""


@pytest.mark.flavour
@pytest.mark.parametrize("name", pairs.NAMES)
def test_the_verdict_is_what_their_code_says(name: str, flavour: str) -> None:
    """The verdict, the first divergence and the causes are as expected."""
    if flavour != "tf_keras":
        pytest.skip("the TensorFlow classes of transformers are for Keras 2")
    pair = pairs.transformers()[name]
    report = check(pair.keras, pair.torch, pair.inputs, torch_inputs=pair.torch_inputs)
    assert report.verdict == pair.verdict, str(report)
    assert {one.id for one in (*report.causes, *report.latent)} == pair.causes
    assert report.dtype == ("float32" if name in IN_FLOAT32 else "float64")
    told = [note for note in report.notes if note.startswith(ID)]
    assert bool(told) == (name in BY_ITSELF)
    if pair.verdict == "different":
        assert report.first_divergence is not None
        assert report.first_divergence.torch_module == pair.where


TRAINED = ("Bert", "DistilBert", "ViT", "ResNet", "ConvNext", "Wav2Vec2")
RUNGS = ("forward_eval", "forward_train", "loss", "gradients", "step", "steps")


@pytest.mark.flavour
@pytest.mark.parametrize("name", first_of_each([(name,) for name in TRAINED], lambda _: "trained"))
def test_they_train_alike(name: str, flavour: str) -> None:
    """Training is SAME in float64, also for code that computes in float32 by itself."""
    if flavour != "tf_keras":
        pytest.skip("the TensorFlow classes of transformers are for Keras 2")
    pair = pairs.transformers()[name]
    given = {"torch_inputs": pair.torch_inputs, **pair.training()}
    report = check(pair.keras, pair.torch, pair.inputs, **given)
    assert report.verdict == "same", str(report)
    assert tuple(one.name for one in report.rungs) == RUNGS


def _frozen(module: Any) -> None:
    module.encoder.layer[1].output.dense.weight.requires_grad_(False)


def _detached(module: Any) -> None:
    module.encoder.layer[0].register_forward_hook(
        lambda _, given, out: (
            (out[0].detach(), *out[1:]) if isinstance(out, tuple) else out.detach()
        )
    )


FAULTS: dict[str, tuple[Any, np.ndarray, str]] = {
    "frozen": (_frozen, np.full((2, 9), 3), "layer.trainable"),
    "detached": (_detached, np.full((2, 9), 3), "gradient.detached"),
    "padding": (lambda module: None, np.arange(18).reshape(2, 9), "embedding.padding_idx"),
}
"""Change to PyTorch's Bert, input tokens, expected cause: its padding token is never trained."""


@pytest.mark.flavour
@pytest.mark.parametrize("name", first_of_each(zip(FAULTS), lambda _: "trained"))
def test_a_fault_of_their_training_is_found(name: str, flavour: str) -> None:
    """The cause is named at the gradients, and its fix removes the difference."""
    if flavour != "tf_keras":
        pytest.skip("the TensorFlow classes of transformers are for Keras 2")
    change, words, cause = FAULTS[name]
    pair = pairs.transformers()["Bert"]
    module = pair.torch()
    change(module)
    report = check(pair.keras, module, words, **pair.training())
    assert [one.id for one in report.causes] == [cause], str(report)
    assert report.causes[0].rung == "gradients"
    assert report.causes[0].proof is not None
    assert report.causes[0].proof.after <= 1e-12


@pytest.mark.flavour
def test_the_norm_that_parts_is_mended(flavour: str) -> None:
    """Wav2Vec2 is SAME once PyTorch uses the epsilon of the TensorFlow code."""
    if flavour != "tf_keras":
        pytest.skip("the TensorFlow classes of transformers are for Keras 2")
    pair = pairs.transformers()["Wav2Vec2, layer_norm_eps=0.001"]
    module = pair.torch()
    module.get_submodule(pair.where).eps = 1e-3
    assert check(pair.keras, module, pair.inputs).verdict == "same"


def test_the_page_tells_of_each() -> None:
    """``docs/real_pairs.md`` contains every pair with its verdict and its confirmation."""
    page = PAGE.read_text("utf-8")
    assert page.startswith(HEAD)
    assert "| inf" not in page
    for name, pair in pairs.transformers().items():
        assert re.search(rf"^\| {re.escape(name)} \| {pair.verdict.upper()} \|", page, re.M), name
        assert pair.confirmed in page, name
    for name in ("MobileNetV2", "ResNet50"):
        assert len(re.findall(rf"^\| {name} \| SAME \|", page, re.M)) == 2
