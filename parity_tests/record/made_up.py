"""A small record, made up without a framework."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity.errors import ParityError
from parity.ladder import record
from parity.ladder.record import Header
from parity.reference.optimizers.spec import OptimizerSpec
from parity.specs.run import Spec
from parity.specs.softmax import SoftmaxSpec
from parity.specs.training import DataSpec, TrainingSpec

SPEC = Spec(
    family="softmax",
    model=SoftmaxSpec(input_shape=(8, 8, 1), classes=10, hidden=()),
    optimizer=OptimizerSpec(),
    training=TrainingSpec(),
    data=DataSpec(name="digits", size="embedded", sha256="0" * 64),
)


HEADER = Header(
    kind="ladder",
    backend="keras",
    spec=SPEC,
    steps=3,
    seeds=1,
    epochs=0,
    teacher="",
    dtypes=("float64",),
    versions={"numpy": "2"},
    platform={"system": "Linux"},
    threads={"intra_op": 1},
    device="cpu",
    timings={"float64": 0.5},
    peak_memory=1,
    results={"float64": {"accuracy": 0.5, "loss": 1.0}},
    rounding={"float32/loss/loss": 1e-7},
    layers={"logits": "logits (Dense)"},
    trainable=("logits/bias", "logits/kernel"),
    counts={"total": 650, "trainable": 650},
    null_gradients={},
    notes=("a sentence",),
)


KERNEL = "float64/parameters/logits/kernel"


TENSORS = {KERNEL: np.arange(640.0).reshape(64, 10), "float64/loss/loss": np.array(2.5)}


def edit(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    file = path / record.HEADER
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def refused(path: Path) -> str:
    """The line that reading it is refused with."""
    with pytest.raises(ParityError) as caught, record.read(path):
        pass
    line = str(caught.value)
    assert "\n" not in line
    assert str(path) in line
    return line
