"""Keras's files of weights: ``.keras``, ``.weights.h5``, ``.h5``. Twin: ``torch_impl/capture``.

Only weights are read, into a model that is there already: no code of a file is ever run, and a file
that carries some is refused.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from parity.errors import ParityError

SUFFIXES = (".keras", ".weights.h5", ".h5")

MEMBERS = ("config.json", "model.weights.h5")
"""What a ``.keras`` file holds: the configuration, and the weights."""

STATE = ("optimizer", "optimizer_weights", "metrics")
"""Groups of a file that belong to training; they are not read."""


def dtype_of(path: Path) -> str:
    """See :meth:`parity.adapters.side.Side.dtype_of`."""
    with _opened(path) as (config, weights):
        if _carries_code(config):
            raise ParityError(
                f"{path}: received a file that carries code (a Lambda layer), accepted: one "
                "without, such as a .weights.h5"
            )
        found = {str(one.dtype) for one in _tensors(weights).values()}
        return "float64" if "float64" in found else "float32"


def load(model: Any, path: Path) -> None:
    """See :meth:`parity.adapters.side.Side.load`."""
    with _opened(path) as (_, weights):
        tensors = _tensors(weights).items()
        held = sum(one.size for name, one in tensors if name.split("/")[0] not in STATE)
    wanted = sum(_size(one) for one in model.weights if "float" in str(one.dtype))
    if held != wanted:
        raise ParityError(
            f"{path}: received {held:,} weights, accepted: the {wanted:,} of keras_model()"
        )
    try:
        model.load_weights(str(path))
    except Exception as error:
        raise ParityError(
            f"{path}: {_told(error)}; accepted: weights of keras_model(), by the same Keras"
        ) from error


def save(model: Any, path: Path) -> None:
    """See :meth:`parity.adapters.side.Side.save`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # .h5 is asked for, whatever Keras thinks of it
            if path.name.endswith(".weights.h5"):
                model.save_weights(str(path))
            else:
                model.save(str(path))
    except Exception as error:
        raise ParityError(
            f"{path.name}: received {type(model).__name__}, which cannot be saved so "
            f"({_told(error)}), accepted: a .weights.h5"
        ) from error


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """The configuration in a file, if any, and its HDF5 of weights."""
    h5py = importlib.import_module("h5py")
    with contextlib.ExitStack() as stack:
        try:
            if path.suffix == ".keras":
                archive = stack.enter_context(zipfile.ZipFile(path))
                config = json.loads(archive.read(MEMBERS[0]))
                inside = stack.enter_context(archive.open(MEMBERS[1]))
                weights = stack.enter_context(h5py.File(inside, "r"))
            else:
                weights = stack.enter_context(h5py.File(path, "r"))
                config = json.loads(weights.attrs.get("model_config", "null"))
            _tensors(weights)
        except Exception as error:
            raise ParityError(
                f"{path}: {_told(error)}; accepted: a whole {path.suffix} file of Keras"
            ) from error
        yield config, weights


def _tensors(weights: Any) -> dict[str, Any]:
    """Every tensor of floating point of an open HDF5 file, by its place.

    Raises:
        ValueError: one is stored in another file.
    """
    h5py = importlib.import_module("h5py")
    found: dict[str, Any] = {}

    def visit(group: Any, above: str) -> None:
        for name in group:
            if isinstance(group.get(name, getlink=True), h5py.ExternalLink):
                raise ValueError(f"{above}{name} is stored in another file")
            one = group[name]
            if isinstance(one, h5py.Group):
                visit(one, f"{above}{name}/")
            elif one.external or one.is_virtual:
                raise ValueError(f"{above}{name} is stored in another file")
            elif one.dtype.kind == "f":
                found[f"{above}{name}"] = one

    visit(weights, "")
    return found


def _carries_code(config: Any) -> bool:
    """Whether a configuration holds a Python function in bytes."""
    if isinstance(config, dict):
        own = config.get("class_name") == "__lambda__" or config.get("function_type") == "lambda"
        return own or any(_carries_code(one) for one in config.values())
    return isinstance(config, list) and any(_carries_code(one) for one in config)


def _size(variable: Any) -> int:
    return int(variable.numpy().size)


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}".rstrip(": ")
