"""``parity convert``: files of one framework, of half precision, of Keras that lead elsewhere."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import safetensors.torch
import torch

from parity.errors import ParityError
from parity.pairs.convert import convert
from parity_tests.pairs.convert.test_convert import keras_file, of
from parity_tests.pairs.zoo.models import fill

pytestmark = pytest.mark.flavour


@pytest.fixture(autouse=True)
def quiet() -> None:
    """As the command does: .h5 is asked for, whatever Keras thinks of it."""
    from keras_impl.capture.side import KerasSide

    KerasSide.start()


@pytest.mark.parametrize(
    ("own", "there"), [(".keras", ".h5"), (".h5", ".weights.h5"), (".weights.h5", ".keras")]
)
def test_from_keras_to_keras(own: str, there: str, keras: Any, tmp_path: Path) -> None:
    """The same weights in a file of another kind, to the bit."""
    pair = of("cnn", keras)
    model = fill(pair["keras_model"]())
    source = keras_file(tmp_path / f"model{own}", model)
    made = convert(source, tmp_path / f"there{there}", pair)
    assert (made.same, made.observed, made.not_copied) == (True, 0.0, ())
    fresh = pair["keras_model"]()
    fresh.load_weights(str(tmp_path / f"there{there}"))
    for found, wanted in zip(fresh.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, wanted, strict=True)


def test_from_torch_to_torch(keras: Any, tmp_path: Path) -> None:
    """There and back, with what Keras has nothing of."""
    pair = of("cnn", keras)
    state = pair["torch_model"]().state_dict()
    torch.save(state, tmp_path / "model.pt")
    assert convert(tmp_path / "model.pt", tmp_path / "there.safetensors", pair).same
    assert convert(tmp_path / "there.safetensors", tmp_path / "back.pt", pair).same
    for path in (tmp_path / "there.safetensors", tmp_path / "back.pt"):
        read = torch.load if path.suffix == ".pt" else safetensors.torch.load_file
        found = read(path)
        assert found.keys() == state.keys()
        assert all(torch.equal(found[name], one) for name, one in state.items())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_of_torch_becomes_float32(
    dtype: torch.dtype, keras: Any, tmp_path: Path
) -> None:
    """No number is another than in the file."""
    pair = of("residual", keras)
    state = {name: one.to(dtype) for name, one in pair["torch_model"]().state_dict().items()}
    torch.save(state, tmp_path / "model.pt")
    assert convert(tmp_path / "model.pt", tmp_path / "there.weights.h5", pair).same
    assert convert(tmp_path / "there.weights.h5", tmp_path / "back.pt", pair).same
    back = torch.load(tmp_path / "back.pt")
    assert {one.dtype for one in back.values()} == {torch.float32}
    assert all(torch.equal(back[name], one.float()) for name, one in state.items())


def datasets(file: h5py.File) -> list[str]:
    """Names of all tensors."""
    found: list[str] = []
    file.visititems(lambda name, one: found.append(name) if hasattr(one, "shape") else None)
    return found


def test_half_precision_of_keras_becomes_float32(keras: Any, tmp_path: Path) -> None:
    """Likewise."""
    pair = of("residual", keras)
    model = fill(pair["keras_model"]())
    source = keras_file(tmp_path / "model.weights.h5", model)
    with h5py.File(source, "r+") as file:
        for name in datasets(file):
            half = file[name][()].astype("float16")
            del file[name]
            file[name] = half
    assert convert(source, tmp_path / "there.pt", pair).same
    assert convert(tmp_path / "there.pt", tmp_path / "back.weights.h5", pair).same
    fresh = pair["keras_model"]()
    fresh.load_weights(str(tmp_path / "back.weights.h5"))
    for found, given in zip(fresh.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, given.astype("float16").astype("float32"), strict=True)


def linked(file: h5py.File, name: str, other: Path) -> None:
    file[name] = h5py.ExternalLink(str(other), name)


def outside(file: h5py.File, name: str, other: Path) -> None:
    file.create_dataset(name, (2,), "f4", external=[(str(other), 0, 8)])


def virtual(file: h5py.File, name: str, other: Path) -> None:
    layout = h5py.VirtualLayout((2,), "f4")
    layout[:] = h5py.VirtualSource(str(other), name, (2,))
    file.create_virtual_dataset(name, layout)


@pytest.mark.parametrize("end", [".keras", ".weights.h5", ".h5"])
@pytest.mark.parametrize("leads", [linked, outside, virtual])
def test_a_file_that_leads_elsewhere_is_refused(
    leads: Callable[..., None], end: str, keras: Any, tmp_path: Path
) -> None:
    """A tensor that lies in another file is not read: a file of weights has all of them."""
    other, inner = tmp_path / "other.h5", tmp_path / "inner.h5"
    with h5py.File(other, "w") as file:
        file["kernel"] = np.ones(2, "f4")
    with h5py.File(inner, "w") as file:
        leads(file, "kernel", other)
    source = inner.rename(tmp_path / f"model{end}") if end != ".keras" else tmp_path / "model.keras"
    if end == ".keras":
        with zipfile.ZipFile(source, "w") as archive:
            archive.writestr("config.json", "{}")
            archive.write(inner, "model.weights.h5")
    with pytest.raises(ParityError, match=r"kernel is stored in another file; accepted: a whole"):
        convert(source, tmp_path / "x.pt", of("residual", keras))
    assert not (tmp_path / "x.pt").exists()
