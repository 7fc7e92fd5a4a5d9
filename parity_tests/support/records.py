"""Records made up from a spec alone: no framework, every tensor that the ladder calls for."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from parity.ladder import contents, record
from parity.ladder.record import Header
from parity.reference.optimizers.spec import OptimizerSpec
from parity.specs.registry import MODELS
from parity.specs.run import Spec
from parity.specs.training import DataSpec, TrainingSpec
from parity.verdict import compare
from parity.verdict.compare import Comparison

NUMPY = {"F64": np.float64, "F32": np.float32, "I64": np.int64, "BOOL": np.bool_}
STEPS = 10

Tensors = dict[str, np.ndarray]


def spec(family: str = "softmax", **fields: Any) -> Spec:
    """A small spec whose hidden kernel is square."""
    small: dict[str, dict[str, Any]] = {
        "softmax": {"input_shape": (2, 2, 1), "hidden": (4,)},
        "dropout": {"input_shape": (2, 2, 1), "hidden": (4,), "rate": 0.5},
        "cnn": {"input_shape": (4, 4, 1), "channels": (3,), "hidden": ()},
        "rnn": {"input_shape": (3, 2), "units": 2, "variable_length": True},
    }
    return Spec(
        family=family,
        model=MODELS[family](classes=3, **{**small[family], **fields}),
        optimizer=OptimizerSpec(),
        training=TrainingSpec(batch_size=5),
        data=DataSpec(name="made_up", size="embedded", sha256="0" * 64),
    )


def spec_of(family: str, variant: str) -> Spec:
    """A registered variant, on made-up data."""
    fields = {"classes": 3, **MODELS[family].variants()[variant]}
    return Spec(
        family=family,
        model=MODELS[family](**fields),
        optimizer=OptimizerSpec(),
        training=TrainingSpec(batch_size=5),
        data=DataSpec(name="made_up", size="embedded", sha256="0" * 64),
    )


def tensors(of: Header) -> Tensors:
    """A value for every tensor; float32 is float64 rounded, as a perfect framework would."""
    rng, made = np.random.default_rng(0), {}
    exact: Tensors = {}
    for dtype in ("float64", *(dtype for dtype in of.dtypes if dtype != "float64")):
        for name, (pattern, stored) in contents.expected(of, dtype).items():
            shape = tuple(6 if length is None else length for length in pattern)
            rest = name.partition("/")[2]
            if rest not in exact:
                exact[rest] = (
                    np.asarray(rng.integers(0, 3, shape))
                    if stored in ("I64", "BOOL")
                    else np.asarray(rng.uniform(0.5, 1.5, shape)).astype(np.float32).astype("f8")
                )
            made[name] = exact[rest].astype(NUMPY[stored])
    return {name: value for name, value in made.items() if name.split("/")[0] in of.dtypes}


def counts(of: Spec) -> dict[str, int]:
    """What a framework must count: entries in all, and trainable ones in all and by layer."""
    rows = of.model.parameters()
    trained = [row for row in rows if row.trainable]
    return {
        "total": sum(row.size for row in rows),
        "trainable": sum(row.size for row in trained),
        **{
            layer.name: sum(row.size for row in trained if row.name.split("/")[0] == layer.name)
            for layer in of.model.layers()
        },
    }


def header(backend: str, of: Spec, dtypes: tuple[str, ...], /, **fields: Any) -> Header:
    """A header whose ensemble never moved anything."""
    values = {
        "kind": "ladder",
        "backend": backend,
        "spec": of,
        "steps": STEPS,
        "seeds": 1,
        "epochs": 0,
        "teacher": "",
        "dtypes": dtypes,
        "versions": {"numpy": np.__version__, backend: "1.0"},
        "platform": {"machine": "none"},
        "threads": {"intra_op": 1},
        "device": "cpu",
        "timings": {"step": 0.00123},
        "peak_memory": 100 * 2**20,
        "results": {dtype: {"accuracy": 0.25, "loss": 1.5} for dtype in dtypes},
        "rounding": {},
        "layers": {layer.name: f"{layer.name} of {backend}" for layer in of.model.layers()},
        "trainable": tuple(row.name for row in of.model.parameters() if row.trainable),
        "counts": counts(of),
        "null_gradients": {},
        "notes": (),
    }
    return Header(**{**values, **fields})


class Pair:
    """Two equal records to be spoilt, then written and compared.

    Attributes:
        replay: tensors of a clean replay by torch, equal to the reference's own.
    """

    def __init__(
        self,
        folder: Path,
        of: Spec,
        dtypes: tuple[str, ...] = ("float64", "float32"),
        **fields: Any,
    ) -> None:
        """``fields`` are those of both headers."""
        self.folder = folder
        self.headers = {name: header(name, of, dtypes, **fields) for name in ("keras", "torch")}
        self.keras, self.torch = (tensors(self.headers[name]) for name in ("keras", "torch"))
        self.replay: Tensors = {}
        if "float64" in dtypes:
            names = contents.expected(header("torch", of, ("float64",), kind="replay"), "float64")
            self.replay = {name: self.keras[name].copy() for name in names}

    def set_header(self, side: str, /, **fields: Any) -> None:
        """Replace fields of a side's header."""
        self.headers[side] = dataclasses.replace(self.headers[side], **fields)

    def both(self) -> tuple[Tensors, Tensors]:
        """The tensors of both sides."""
        return self.keras, self.torch

    def write(self) -> tuple[Path, Path]:
        """Write both."""
        paths = self.folder / "keras", self.folder / "torch"
        for path, values in zip(paths, (self.keras, self.torch), strict=True):
            written: Mapping[str, np.ndarray] = values
            record.write(path, self.headers[path.name], written)
        return paths

    def write_replay(self, **fields: Any) -> Path:
        """Write the replay of the Keras record that :meth:`write` left; ``fields`` of its header.

        That is torch's layers by themselves, fed what Keras's were.
        """
        with record.read(self.folder / "keras") as teacher:
            fields = {"kind": "replay", "teacher": teacher.sha256, "steps": 0, **fields}
            made = header("torch", teacher.header.spec, ("float64",), **fields)
        path = self.folder / "replay"
        record.write(path, made, self.replay)
        return path

    @contextmanager
    def compared(
        self, swapped: bool = False, replayed: bool = False, **options: Any
    ) -> Iterator[Comparison]:
        """Write both, and the replay where asked, and compare them."""
        a, b = self.write()
        with ExitStack() as opened:
            x, y = (opened.enter_context(record.read(path)) for path in (a, b))
            if replayed:
                options["replay"] = opened.enter_context(record.read(self.write_replay()))
            yield compare.compare(y, x, **options) if swapped else compare.compare(x, y, **options)
