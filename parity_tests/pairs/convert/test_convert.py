"""``parity convert``: weights from file to file, there and back; what is told of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from parity.errors import ParityError
from parity.pairs.convert import convert
from parity_tests.pairs.zoo.models import PAIRS, fill
from parity_tests.support.selection import first_of_each

pytestmark = pytest.mark.flavour

KERAS_FILES = (".keras", ".weights.h5", ".h5")


ROUNDED = {"cnn": 1e-8}
"""How far a pair may stand apart in whose Keras model constants (a slope, GELU's) are float32."""


@pytest.fixture(autouse=True)
def quiet() -> None:
    """As the command does: .h5 is asked for, whatever Keras thinks of it."""
    from keras_impl.capture.side import KerasSide

    KerasSide.start()


def of(name: str, keras: Any, **changed: Any) -> dict[str, Any]:
    """A pair's arguments of ``parity.check``."""
    pair = PAIRS[name]
    return {
        "keras_model": lambda: pair.keras(keras),
        "torch_model": lambda: pair.torch(**changed),
        "inputs": pair.inputs(),
    }


def keras_file(path: Path, model: Any) -> Path:
    from keras_impl.capture import files

    files.save(model, path)
    return path


def outputs(model: Any, inputs: Any) -> list[np.ndarray]:
    """What a PyTorch model gives in float64 for what Keras takes."""
    given = [torch.as_tensor(one) for one in inputs]
    given = [one.movedim(-1, 1) if one.ndim == 4 else one for one in given]
    with torch.no_grad():
        found = model.double().eval()(*given)
    return [one.numpy() for one in (found if isinstance(found, tuple) else (found,))]


FORMATS = [(".keras", ".pt"), (".weights.h5", ".safetensors"), (".h5", ".pt")]
CONVERTED = [
    (name, *FORMATS[(place + turn) % len(FORMATS)])
    for place, name in enumerate(name for name in PAIRS if name != "gru, reset before")
    for turn in range(len(FORMATS))
]
"""Every pair in every format; each pair first in another one."""


@pytest.mark.parametrize(
    ("name", "own", "there"),
    first_of_each(CONVERTED, lambda name, *_: name, lambda name, own, there: own),
)
def test_there_and_back(name: str, own: str, there: str, keras: Any, tmp_path: Path) -> None:
    """Keras's weights come back to the bit; between, PyTorch computes the same to 1e-12."""
    pair = of(name, keras)
    model = fill(pair["keras_model"]())
    source = keras_file(tmp_path / f"model{own}", model)
    made = convert(source, tmp_path / f"there{there}", pair)
    assert (made.same, made.rounded, made.not_copied) == (True, (), ())
    assert made.weights == sum(value.size for value in model.get_weights())
    assert (tmp_path / f"there{there}").stat().st_mode & 0o777 == 0o644
    module = pair["torch_model"]()
    path = tmp_path / f"there{there}"
    read = torch.load if there == ".pt" else safetensors.torch.load_file
    module.load_state_dict(read(path))
    from keras_impl.capture.side import KerasSide

    expected = KerasSide(model, "float64").run(pair["inputs"]).outputs.values()
    for found, wanted in zip(outputs(module, pair["inputs"]), expected, strict=True):
        apart = np.abs(found - wanted).max() / np.abs(wanted).max()
        assert apart <= ROUNDED.get(name, 1e-12)
    assert convert(path, tmp_path / f"back{own}", pair).same
    fresh = pair["keras_model"]()
    fresh.load_weights(str(tmp_path / f"back{own}"))
    for found, wanted in zip(fresh.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, wanted, strict=True)


FROM_TORCH = [
    (name, KERAS_FILES[(place + turn) % len(KERAS_FILES)])
    for place, name in enumerate(["cnn", "residual", "lstm", "rnn", "gru"])
    for turn in range(len(KERAS_FILES))
]


@pytest.mark.parametrize(
    ("name", "there"),
    first_of_each(FROM_TORCH, lambda name, _: name, lambda name, there: there),
)
def test_from_torch(name: str, there: str, keras: Any, tmp_path: Path) -> None:
    """PyTorch's weights come back to the bit; where Keras has the sum of two biases, that is told.

    ``num_batches_tracked`` counts batches of training; Keras has none.
    """
    pair = of(name, keras)
    torch.manual_seed(1)
    module = pair["torch_model"]()
    source = tmp_path / "model.pt"
    torch.save(module.state_dict(), source)
    made = convert(source, tmp_path / f"there{there}", pair)
    assert made.same
    assert bool(made.rounded) == (name in ("lstm", "rnn"))
    assert convert(tmp_path / f"there{there}", tmp_path / "back.safetensors", pair).same
    back = safetensors.torch.load_file(tmp_path / "back.safetensors")
    for key, value in module.state_dict().items():
        if "num_batches" in key:
            continue
        if made.rounded and "bias_ih" in key:
            value = value + module.state_dict()[key.replace("ih", "hh")]
        if made.rounded and "bias_hh" in key:
            value = torch.zeros_like(value)
        assert torch.equal(back[key], value), key


def test_a_model_that_stands_alone(keras: Any, tmp_path: Path) -> None:
    """The ``.keras`` that is written is a float32 model which Keras loads without the pair."""
    pair = of("cnn", keras)
    module = pair["torch_model"]()
    torch.save(module.state_dict(), tmp_path / "model.pt")
    convert(tmp_path / "model.pt", tmp_path / "model.keras", pair)
    model = keras.models.load_model(tmp_path / "model.keras")
    assert {np.dtype(value.dtype) for value in model.get_weights()} == {np.dtype("float32")}
    found = model.predict(pair["inputs"][0].astype("float32"), verbose=0)
    np.testing.assert_allclose(found, outputs(module, pair["inputs"])[0], atol=1e-5)


def test_rounded_constants_are_no_difference(keras: Any, tmp_path: Path) -> None:
    """A slope that Keras rounds to float32 shows in the outputs, and the models are the same."""
    pair = of("cnn", keras)
    source = keras_file(tmp_path / "model.keras", fill(pair["keras_model"]()))
    made = convert(source, tmp_path / "x.pt", pair)
    assert made.observed > made.allowed
    assert made.same


def test_float64_stays(keras: Any, tmp_path: Path) -> None:
    """Weights of float64 are written as such, to the bit."""
    pair = of("residual", keras)
    state = {name: one.double() / 3 for name, one in pair["torch_model"]().state_dict().items()}
    torch.save(state, tmp_path / "model.pt")
    assert convert(tmp_path / "model.pt", tmp_path / "there.weights.h5", pair).same
    assert convert(tmp_path / "there.weights.h5", tmp_path / "back.pt", pair).same
    back = torch.load(tmp_path / "back.pt")
    assert all(torch.equal(back[name], one) for name, one in state.items())


def test_trained_model(keras: Any, tmp_path: Path) -> None:
    """What an optimizer and metrics left in a file is no part of the weights."""
    pair = of("residual", keras)
    model = pair["keras_model"]()
    model.compile("adam", ["mse", "mse"], metrics=[["mae"], ["mae"]])
    targets = [np.zeros((4, 3)), np.zeros((4, 2))]
    model.fit(pair["inputs"], targets, verbose=0)
    for end in KERAS_FILES:
        source = keras_file(tmp_path / f"model{end}", model)
        assert convert(source, tmp_path / f"{end[1:]}.pt", pair).same


def nested(keras: Any, **named: str) -> Any:
    """A subclassed model with two blocks, whose layers have the same name, or Keras's numbers."""

    class Block(keras.layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.inner = keras.layers.Dense(4, activation="tanh", **named)

        def call(self, x: Any) -> Any:
            return x + self.inner(x)

    class Model(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = [Block(), Block()]

        def call(self, x: Any) -> Any:
            for block in self.blocks:
                x = block(x)
            return x

    return Model()


class Nested(nn.Module):
    """Its port."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])

    def forward(self, x: Any) -> Any:
        """As Keras's."""
        for layer in self.blocks:
            x = x + torch.tanh(layer(x))
        return x


@pytest.mark.parametrize("named", [{}, {"name": "inner"}], ids=str)
def test_layers_of_equal_names(named: dict[str, str], keras: Any, tmp_path: Path) -> None:
    """Blocks whose layers are called alike each get their own weights, built once or again."""
    pair = {
        "keras_model": lambda: nested(keras, **named),
        "torch_model": Nested,
        "inputs": np.random.default_rng(0).normal(size=(3, 4)),
    }
    state = Nested().state_dict()
    torch.save(state, tmp_path / "model.pt")
    assert convert(tmp_path / "model.pt", tmp_path / "there.weights.h5", pair).same
    assert convert(tmp_path / "there.weights.h5", tmp_path / "back.pt", pair).same
    back = torch.load(tmp_path / "back.pt")
    assert all(torch.equal(back[name], one) for name, one in state.items())


class Tabled(nn.Module):
    """A parameter that no layer has, and a layer that is not called."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.unused = inner, nn.Linear(2, 2)
        self.table = nn.Parameter(torch.ones(5))

    def forward(self, x: Any) -> Any:
        """As the inner one, moved."""
        return self.inner(x) + self.table.sum()


def test_what_is_not_carried_is_told(keras: Any, tmp_path: Path) -> None:
    """Weights outside of layers are named, and the outputs show that they are missing."""
    pair = of("rnn", keras)
    own = PAIRS["rnn"].torch
    source = keras_file(tmp_path / "model.keras", fill(pair["keras_model"]()))
    made = convert(source, tmp_path / "x.pt", pair | {"torch_model": lambda: Tabled(own())})
    assert made.not_copied == ("torch: table", "torch: unused.bias", "torch: unused.weight")
    assert not made.same


def test_layers_that_do_not_fit(keras: Any, tmp_path: Path) -> None:
    """Another number of biases, or a layer too many, is refused; nothing is written."""
    pair = of("gru, reset before", keras)
    source = keras_file(tmp_path / "model.keras", pair["keras_model"]())
    with pytest.raises(ParityError, match=r"^recurrent / rnn: received bias \(15,\), kernel"):
        convert(source, tmp_path / "x.pt", pair)
    pair = of("cnn", keras)
    bare = PAIRS["rnn"].torch()
    pair |= {"torch_model": lambda: bare, "torch_inputs": PAIRS["rnn"].inputs()}
    source = keras_file(tmp_path / "cnn.keras", pair["keras_model"]())
    with pytest.raises(ParityError, match="received weights of a layer that only Keras has"):
        convert(source, tmp_path / "x.pt", pair)
    assert not (tmp_path / "x.pt").exists()
