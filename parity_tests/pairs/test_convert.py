"""``parity convert``: weights from file to file, there and back; what is no such file."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from parity import cli
from parity.errors import ParityError
from parity.pairs import pair_file
from parity.pairs.convert import convert
from parity_tests.conftest import Refused
from parity_tests.pairs.models import PAIRS, fill
from parity_tests.pairs.pair_files import FAULT, write

pytestmark = pytest.mark.flavour

KERAS_FILES = (".keras", ".weights.h5", ".h5")
TORCH_FILES = (".pt", ".safetensors")


ROUNDED = {"cnn": 1e-8}
"""How far a pair may stand apart in whose Keras model constants (a slope, GELU's) are float32."""


@pytest.fixture
def keras(flavour: str) -> Any:
    """The Keras that this run is of."""
    return importlib.import_module({"tf_keras": "tf_keras", "keras3": "keras"}[flavour])


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


@pytest.mark.parametrize("name", [name for name in PAIRS if name != "gru, reset before"])
@pytest.mark.parametrize(
    ("own", "there"), [(".keras", ".pt"), (".weights.h5", ".safetensors"), (".h5", ".pt")]
)
def test_there_and_back(name: str, own: str, there: str, keras: Any, tmp_path: Path) -> None:
    """Keras's weights come back to the bit; between, PyTorch computes the same to 1e-12."""
    pair = of(name, keras)
    model = fill(pair["keras_model"]())
    source = keras_file(tmp_path / f"model{own}", model)
    made = convert(source, tmp_path / f"there{there}", pair)
    assert (made.same, made.rounded, made.left) == (True, (), ())
    assert made.weights == sum(value.size for value in model.get_weights())
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


@pytest.mark.parametrize("there", KERAS_FILES)
@pytest.mark.parametrize("name", ["cnn", "residual", "lstm", "rnn", "gru"])
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
    assert made.left == ("torch: table", "torch: unused.bias", "torch: unused.weight")
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


# what the command refuses, and what it says


def command(*words: object) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(["convert", *map(str, words)])
    return int(ended.value.code or 0)


def test_command(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    keras: Any,
    flavour: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """0 where the models then agree, 1 where they do not; either way the file is written."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    for change, code in (((), 0), ((FAULT,), 1)):
        write(tmp_path, flavour, *change)
        found = pair_file.load(Path("my_pair.py"))
        module = found["torch_model"]()
        nn.init.normal_(module.norm.running_mean)
        torch.save(module.state_dict(), "model.pt")
        words = ("model.pt", f"new/{code}.keras", "--pair", "my_pair.py", "--map", "head=out")
        assert command(*words) == code
        said = capsys.readouterr()
        assert said.err == ""
        assert said.out.startswith(f"new/{code}.keras: 453 weights of 3 layers, from model.pt\n")
        assert ("parity check my_pair.py says why" in said.out) == bool(code)
        assert Path(f"new/{code}.keras").is_file()


class Harm:
    """Code in a pickle."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.mkdir, ("harmed",)


def bytes_of(path: Path, keras: Any) -> None:
    """Write a file that is wrong in the way that its name says."""
    what, end = path.name.split(".", 1)
    layers = keras.layers
    if what == "code" and end == "pt":
        torch.save({"a": Harm()}, path)
    elif what == "code":
        keras_file(path, keras.Sequential([keras.Input((2,)), layers.Lambda(lambda x: 2 * x)]))
    elif what == "other" and end in ("pt", "safetensors"):
        state = {"out.weight": torch.ones(2)}
        torch.save(state, path) if end == "pt" else safetensors.torch.save_file(state, path)
    elif what == "other":
        keras_file(path, keras.Sequential([keras.Input((2,)), layers.Dense(1)]))
    elif what == "module":
        torch.save(nn.Linear(1, 1), path)
    elif what == "numbers":
        torch.save({"a": 1}, path)
    elif what == "cut":
        bytes_of(path.with_name(f"other.{end}"), keras)
        whole = path.with_name(f"other.{end}")
        path.write_bytes(whole.read_bytes()[:-40])
        whole.unlink()
    else:
        path.write_bytes(b"text" if what == "text" else b"")


WRONG = {
    **{
        f"code.{end}": "received a file that carries code (a Lambda layer)"
        for end in ("keras", "h5")
    },
    "code.pt": "UnpicklingError: Weights only load failed; accepted: a whole .pt file",
    "module.pt": "UnpicklingError: Weights only load failed; accepted: a whole .pt file",
    "numbers.pt": "received a dict of something else, accepted: tensors by name",
    **{
        f"{what}.{end}": f"accepted: a whole .{end.split('.')[-1]} file"
        for what in ("empty", "text", "cut")
        for end in ("keras", "weights.h5", "h5", "pt", "safetensors")
    },
    **{
        f"other.{end}": "received 3 weights, accepted: the 453 of keras_model()"
        for end in ("keras", "weights.h5", "h5")
    },
    **{
        f"other.{end}": "lacks 'features.weight', accepted: the state_dict of torch_model()"
        for end in ("pt", "safetensors")
    },
}


@pytest.mark.parametrize("name", WRONG)
def test_file_that_cannot_be_used(
    name: str, refused: Refused, tmp_path: Path, keras: Any, flavour: str
) -> None:
    """A file that is cut short, of something else, or carries code is one line; it is not run."""
    write(tmp_path, flavour)
    bytes_of(tmp_path / name, keras)
    target = "x.keras" if name.endswith(TORCH_FILES) else "x.pt"
    said = refused("parity", "convert", name, target, "--pair", "my_pair.py")
    assert said.startswith(f"parity convert: error: {name}: ")
    assert WRONG[name] in said


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["no.pt", "x.keras"], "SOURCE: received 'no.pt', accepted: a file of weights"),
        (["my_pair.py", "x.pt"], "SOURCE: received 'my_pair.py', accepted: a name that ends in "),
        (["other.pt", "x.npz"], "TARGET: received 'x.npz', accepted: a name that ends in .keras"),
        (["other.pt", "other.pt"], "TARGET: other.pt exists already"),
        (["other.pt", "x.keras", "--map", "x"], "received 'x', accepted: KERAS=TORCH"),
    ],
)
def test_wrong_use(
    words: list[str], expected: str, refused: Refused, tmp_path: Path, keras: Any, flavour: str
) -> None:
    """Names that cannot be used are one line, and nothing is written."""
    write(tmp_path, flavour)
    bytes_of(tmp_path / "other.pt", keras)
    assert expected in refused("parity", "convert", *words, "--pair", "my_pair.py")
