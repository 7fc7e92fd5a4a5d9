"""``parity convert`` as a command: exit codes, and what it refuses."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import nn

from parity.cli import parser
from parity.pairs import pair_file
from parity_tests.conftest import Refused
from parity_tests.pairs.interface.pair_files import FAULT, write

pytestmark = pytest.mark.flavour

TORCH_FILES = (".pt", ".safetensors")


@pytest.fixture(autouse=True)
def quiet() -> None:
    """As the command does: .h5 is asked for, whatever Keras thinks of it."""
    from keras_impl.capture.side import KerasSide

    KerasSide.start()


def keras_file(path: Path, model: Any) -> Path:
    """Written as ``parity convert`` writes."""
    from keras_impl.capture import files

    files.save(model, path)
    return path


def command(*words: object) -> int:
    with pytest.raises(SystemExit) as ended:
        parser.main(["convert", *map(str, words)])
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
    elif what == "sparse":
        torch.save({"out.weight": torch.ones(2, 2).to_sparse()}, path)
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
    "sparse.pt": "out.weight: received a torch.sparse_coo tensor, accepted: a dense one",
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
