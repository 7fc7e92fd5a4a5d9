"""Parameters outside layers that both sides know, and outputs in a layout of the model's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from keras_impl.capture import files
from parity.pairs.align.unowned_parameters import partners
from parity.pairs.check import check
from parity.pairs.convert import convert

pytestmark = pytest.mark.flavour


def custom(keras: Any) -> Any:
    """A model whose first layer looks words up in a table of its own and adds a token."""
    import tensorflow as tf

    class Words(keras.layers.Layer):  # type: ignore[misc]
        def build(self, _: Any) -> None:
            self.table = self.add_weight(name="word_table", shape=(9, 4))
            self.token = self.add_weight(name="class_token", shape=(4,))

        def call(self, x: Any) -> Any:
            return tf.gather(tf.convert_to_tensor(self.table), x) + self.token

    class Model(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.words, self.head = Words(name="words"), keras.layers.Dense(3, name="head")

        def call(self, x: Any, training: bool = False) -> Any:
            return self.head(self.words(x))

    def build() -> Any:
        model = Model()
        model(np.zeros((1, 5), np.int32))
        numbers = np.random.default_rng(0)
        model.set_weights([numbers.normal(size=one.shape) for one in model.get_weights()])
        return model

    return build


class Port(nn.Module):
    """Its port: the table is a layer here."""

    def __init__(self) -> None:
        super().__init__()
        self.word_table = nn.Embedding(9, 4)
        self.class_token = nn.Parameter(torch.zeros(4))
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, T) to (N, T, 3)."""
        return self.head(self.word_table(x) + self.class_token)


def test_a_custom_layer_s_own_weights_are_carried_over(keras: Any) -> None:
    """By shape and words in common; what follows shows that it was right."""
    x = np.random.default_rng(0).integers(0, 9, (3, 5))
    report = check(custom(keras), Port(), x)
    assert report.verdict == "same", str(report)


class Detached(Port):
    """A port whose token does not train."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, T) to (N, T, 3)."""
        return self.head(self.word_table(x) + self.class_token.detach())


class Padded(Port):
    """A port whose first word does not train."""

    def __init__(self) -> None:
        super().__init__()
        self.word_table = nn.Embedding(9, 4, padding_idx=0)


@pytest.mark.parametrize(
    ("port", "cause", "name"),
    [
        (Port, None, ""),
        (Detached, "gradient.detached", "class_token"),
        (Padded, "embedding.padding_idx", "word_table"),
    ],
)
def test_they_are_trained_as_well(port: Any, cause: str | None, name: str, keras: Any) -> None:
    """Their gradients and steps are compared, and what parts is named."""
    x = np.arange(15).reshape(3, 5) % 9
    y = np.random.default_rng(1).normal(size=(3, 5, 3))
    given = {"targets": y, "loss": "mse", "optimizer": "adam", "steps": 2}
    report = check(custom(keras), port(), x, **given)
    assert [one.id for one in report.causes] == ([cause] if cause else []), str(report)
    parted = report.first_divergence
    if cause is not None:
        assert parted is not None
        assert (parted.rung, parted.torch_module) == (
            "gradients",
            f"{name}.weight" if port is Padded else name,
        )
        assert name in (parted.keras_layer or "")


@pytest.mark.parametrize("there", [".pt", ".safetensors"])
def test_they_are_converted_as_well(there: str, keras: Any, tmp_path: Path) -> None:
    """From a file of Keras's to one of PyTorch's and back, to the bit."""
    x = np.random.default_rng(0).integers(0, 9, (3, 5))
    pair = {"keras_model": custom(keras), "torch_model": Port, "inputs": x}
    source, back = tmp_path / "own.weights.h5", tmp_path / "back.weights.h5"
    model = custom(keras)()
    model.set_weights([one + 0.5 for one in model.get_weights()])
    files.save(model, source)
    made = convert(source, tmp_path / f"there{there}", pair)
    assert (made.same, made.not_copied) == (True, ())
    assert convert(tmp_path / f"there{there}", back, pair).not_copied == ()
    found = custom(keras)()
    found.load_weights(back)
    assert all(map(np.array_equal, found.get_weights(), model.get_weights()))


def test_neither_shape_nor_name_alone_makes_partners() -> None:
    """A table with another name stays, as does a namesake of another shape, and a draw."""
    table, row = np.zeros((9, 4)), np.zeros(4)
    assert partners({"words/table": table}, {"words.table": table}) == [
        ("words/table", "words.table")
    ]
    assert partners({"words/table": table}, {"lookup": table}) == []
    assert partners({"words/table": table}, {"words.table": row}) == []
    assert partners({"a/token": row}, {"x.token": row, "y.token": row}) == []


@pytest.mark.parametrize("first", [True, False])
def test_outputs_may_be_channels_first_on_both_sides(keras: Any, first: bool) -> None:
    """A Keras model that turns its output round as PyTorch has it, or leaves it."""
    layers = keras.layers
    stack = [keras.Input((5, 6, 3)), layers.Conv2D(4, 3, name="conv")]
    model = keras.Sequential([*stack, layers.Permute((3, 1, 2))] if first else stack)
    x = np.random.default_rng(0).normal(size=(2, 5, 6, 3))
    report = check(model, nn.Sequential(nn.Conv2d(3, 4, 3)), x)
    assert report.verdict == "same", str(report)
