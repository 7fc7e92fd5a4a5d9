"""What the suite runs over: every variant of every model, on real data cut to its shape."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

import numpy as np

from parity import data, examples, record, recording
from parity.backend import Backend
from parity.data import Split
from parity.memory import PeakMemory
from parity.optimizers import DEFAULT_RATES, SLOTS, OptimizerSpec
from parity.specs.registry import MODELS
from parity.specs.run import DataSpec, Spec, TrainingSpec

OPTIMIZERS = tuple(SLOTS)
VARIANTS = [(family, name) for family, cls in MODELS.items() for name in cls.variants()]

TRAIN, TEST = 150, 364


def one_optimizer_each() -> list[tuple[str, str, str]]:
    """Every variant once, the optimizers in turn."""
    return [
        (*variant, OPTIMIZERS[place % len(OPTIMIZERS)]) for place, variant in enumerate(VARIANTS)
    ]


def every_optimizer() -> list[tuple[str, str, str]]:
    """Every variant with every optimizer."""
    return [(*variant, optimizer) for variant in VARIANTS for optimizer in OPTIMIZERS]


def spec_of(
    family: str, variant: str, optimizer: str = "adam", flavour: str = "tf_keras", seed: int = 0
) -> Spec:
    """A variant as a whole spec."""
    fields = dict(MODELS[family].variants()[variant])
    name = "japanese_vowels" if fields.get("variable_length") else "digits"
    loaded = _load(name)
    fields.setdefault("classes", len(loaded.classes))
    return Spec(
        family=family,
        model=MODELS[family](flavour=flavour, **fields),
        optimizer=OptimizerSpec(name=optimizer, learning_rate=DEFAULT_RATES[optimizer]),
        training=TrainingSpec(batch_size=32, seed=seed),
        data=DataSpec(name=name, size=loaded.size, sha256=loaded.sha256),
    )


def splits_of(spec: Spec) -> tuple[Split, Split]:
    """Real training and test examples in the spec's shape."""
    loaded = _load(spec.data.name)
    train, test = _limited(loaded.train, TRAIN), _limited(loaded.test, TEST)
    return _cut(spec, train), _cut(spec, test)


def _limited(split: Split, count: int) -> Split:
    """The first ``count`` examples, or all where there are fewer."""
    lengths = None if split.lengths is None else split.lengths[:count]
    return dataclasses.replace(split, x=split.x[:count], y=split.y[:count], lengths=lengths)


@functools.cache
def _load(name: str) -> data.Dataset:
    return data.load(name, size="embedded")


def _cut(spec: Spec, split: Split) -> Split:
    """Crop or wrap 8×8 digits to the spec's size; further channels are the image shifted."""
    shape = spec.model.input_shape
    if split.lengths is None and len(shape) == 3:
        height, width, channels = shape
        x = np.pad(split.x, ((0, 0), (0, 2), (0, 2), (0, 0)), mode="wrap")[:, :height, :width]
        shifted = [np.roll(x, shift, axis=2) for shift in range(channels)]
        split = Split(x=np.concatenate(shifted, axis=3), y=split.y, lengths=None)
    return examples.fit(spec, split)


def record_of(
    backend: Backend,
    spec: Spec,
    path: Path,
    dtypes: tuple[str, ...] = ("float64",),
    steps: int = 10,
) -> Path:
    """Climb the ladder in this process and write the record."""
    train, test = splits_of(spec)
    peak = PeakMemory()
    ladder = recording.climb(backend, spec, train, test, dtypes, steps)
    header = recording.header(
        "ladder",
        backend,
        spec,
        steps=steps,
        dtypes=dtypes,
        device="cpu",
        ladder=ladder,
        peak=peak,
    )
    record.write(path, header, ladder.tensors)
    return path
