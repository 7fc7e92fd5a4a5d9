"""What the suite runs over: every variant of every model, on real data cut to its shape."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from parity.adapters.backend import Backend
from parity.data import datasets, examples
from parity.data.datasets import Split
from parity.ladder import climb, record
from parity.ladder.header import create_header
from parity.reference.losses.table import LOSSES as LOSS_TABLE
from parity.reference.optimizers.spec import OptimizerSpec
from parity.reference.optimizers.table import OPTIMIZERS as TABLE
from parity.reference.schedules.spec import ScheduleSpec
from parity.specs.callbacks import CallbacksSpec
from parity.specs.registry import MODELS
from parity.specs.run import Spec
from parity.specs.training import DataSpec, TrainingSpec
from parity.system.memory import PeakMemory
from parity_tests.support.selection import every_two

OPTIMIZERS = tuple(TABLE)
Variants = Sequence[tuple[str, str]]
VARIANTS: Variants = [(family, name) for family, cls in MODELS.items() for name in cls.variants()]

LOSSES: dict[str, dict[str, Mapping[str, Any]]] = {
    name: {"training": {"loss": name, **({"huber_delta": 0.3} if name == "huber" else {})}}
    for name in LOSS_TABLE
}
"""Ways to train a model of probabilities, which every loss takes: by the fields as below."""

RECIPES: dict[str, dict[str, Mapping[str, Any]]] = {
    "class_weights": {"training": {"class_weights": (0.5, 1, 2, 0.25, 1, 3, 1, 0.7, 1, 1.3)}},
    "label_smoothing": {"training": {"label_smoothing": 0.1}},
    "huber": LOSSES["huber"],
    "hinge": LOSSES["hinge"],
    "weight_decay": {"optimizer_fields": {"weight_decay": 0.1}},
    "clipnorm": {"optimizer_fields": {"clipnorm": 0.1, "weight_decay": 0.1}},
    "global_clipnorm": {"optimizer_fields": {"global_clipnorm": 0.1}},
    "clipvalue": {"optimizer_fields": {"clipvalue": 0.01}},
    "average": {"optimizer_fields": {"ema_momentum": 0.9, "ema_overwrite_frequency": 4}},
}
"""Ways to train, each by the fields that :func:`spec_of` takes; the norms clip from the start."""

SCHEDULES: dict[str, Mapping[str, Any]] = {
    "exponential": {"name": "exponential", "decay_steps": 3, "decay_rate": 0.8},
    "inverse_time": {
        "name": "inverse_time", "decay_steps": 4, "decay_rate": 0.5, "staircase": True,
    },
    "polynomial": {"name": "polynomial", "decay_steps": 7, "power": 1.5, "cycle": True},
    "piecewise": {"name": "piecewise_constant", "boundaries": (2, 7), "values": (0.01, 0.002)},
    "cosine": {"name": "cosine", "decay_steps": 8, "alpha": 0.1},
    "warmup": {"name": "cosine", "decay_steps": 8, "warmup_target": 0.1, "warmup_steps": 3},
    "restarts": {"name": "cosine_restarts", "decay_steps": 3, "t_mul": 1.3, "m_mul": 0.9},
}  # fmt: skip
"""Schedules by the fields of their spec; each moves, and most of them end, within ten steps."""

RECIPES["schedule"] = {"schedule": SCHEDULES["cosine"]}

WHOLE: dict[str, dict[str, Mapping[str, Any]]] = {
    "stopped": {
        "training": {"epochs": 8},
        "callbacks": {
            "early_stopping": 2,
            "min_delta": 0.3,
            "restore_best_weights": True,
        },
    },
    "plateau": {
        "training": {"epochs": 7, "label_smoothing": 0.1},
        "callbacks": {
            "monitor": "val_accuracy",
            "reduce_lr_on_plateau": 1,
            "plateau_factor": 0.3,
            "plateau_min_delta": 0.1,
            "plateau_cooldown": 2,
            "min_learning_rate": 1e-4,
        },
    },
    "averaged": {
        "training": {"epochs": 3, "class_weights": (0.5, 1, 2, 0.25, 1, 3, 1, 0.7, 1, 1.3)},
        "optimizer_fields": {"ema_momentum": 0.9},
        "schedule": SCHEDULES["restarts"],
    },
}
"""Whole trainings by the fields that :func:`spec_of` takes."""


def recipe(name: str) -> Mapping[str, Any]:
    """Fields of a recipe, a loss or a whole training by its name; none for an empty one."""
    return {**LOSSES, **RECIPES, **WHOLE}[name] if name else {}


TRAINED_SO = [
    ("softmax", "hidden_32_16-logits", "sgd"),
    ("cnn", "bn-c1-k3-s1-n8", "nesterov"),
    ("rnn", "gru_after-1-uni-fixed", "adam"),  # whose bias is two tensors in PyTorch
]
"""Variants, each with its optimizer, that hold in every recipe as well."""

TRAIN, TEST = 150, 364


FEW = every_two(VARIANTS, lambda variant: (variant[0], *variant[1].split("-")))
"""Enough variants that any two options of a family are combined in one of them."""


def one_optimizer_each(
    variants: Variants = VARIANTS,
) -> list[tuple[str, str, str]]:
    """Every variant once, the optimizers in turn."""
    return [
        (*variant, OPTIMIZERS[place % len(OPTIMIZERS)]) for place, variant in enumerate(variants)
    ]


def every_optimizer() -> list[tuple[str, str, str]]:
    """Every variant with every optimizer."""
    return [(*variant, optimizer) for variant in VARIANTS for optimizer in OPTIMIZERS]


def spec_of(
    family: str,
    variant: str,
    optimizer: str = "adam",
    flavour: str = "tf_keras",
    seed: int = 0,
    training: Mapping[str, Any] | None = None,
    optimizer_fields: Mapping[str, Any] | None = None,
    schedule: Mapping[str, Any] | None = None,
    callbacks: Mapping[str, Any] | None = None,
) -> Spec:
    """A variant as a whole spec; the mappings set further fields of its parts."""
    fields = dict(MODELS[family].variants()[variant])
    name = "japanese_vowels" if fields.get("variable_length") else "digits"
    loaded = _load(name)
    fields.setdefault("classes", len(loaded.classes))
    return Spec(
        family=family,
        model=MODELS[family](flavour=flavour, **fields),
        optimizer=OptimizerSpec(name=optimizer, **(optimizer_fields or {})),
        training=TrainingSpec(batch_size=32, seed=seed, **(training or {})),
        data=DataSpec(name=name, size=loaded.size, sha256=loaded.sha256),
        schedule=ScheduleSpec(**(schedule or {})),
        callbacks=CallbacksSpec(**(callbacks or {})),
    )


def whole(family: str, optimizer: str, flavour: str = "tf_keras", seed: int = 0) -> Spec:
    """A model as it is by default, on its own data set."""
    cls = MODELS[family]
    loaded = _load(cls.default_dataset)
    shape = cls.shape_for(loaded.input_shape, loaded.name, {})
    return Spec(
        family=family,
        model=cls(input_shape=shape, classes=len(loaded.classes), flavour=flavour),
        optimizer=OptimizerSpec(name=optimizer),
        training=TrainingSpec(batch_size=64, seed=seed),
        data=DataSpec(name=loaded.name, size=loaded.size, sha256=loaded.sha256),
    )


def whole_splits(spec: Spec) -> tuple[Split, Split]:
    """All examples of a spec's data set."""
    loaded = _load(spec.data.name)
    return examples.for_model(spec, loaded.train), examples.for_model(spec, loaded.test)


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
def _load(name: str) -> datasets.Dataset:
    return datasets.load(name, size="embedded")


def _cut(spec: Spec, split: Split) -> Split:
    """Crop or wrap 8×8 digits to the spec's size; further channels are the image shifted."""
    shape = spec.model.input_shape
    if split.lengths is None and len(shape) == 3:
        height, width, channels = shape
        x = np.pad(split.x, ((0, 0), (0, 2), (0, 2), (0, 0)), mode="wrap")[:, :height, :width]
        shifted = [np.roll(x, shift, axis=2) for shift in range(channels)]
        split = Split(x=np.concatenate(shifted, axis=3), y=split.y, lengths=None)
    return examples.for_model(spec, split)


def record_of(
    backend: Backend,
    spec: Spec,
    path: Path,
    dtypes: tuple[str, ...] = ("float64",),
    steps: int = 10,
    splits: tuple[Split, Split] | None = None,
    whole: bool = False,
) -> Path:
    """Climb the ladder in this process and write the record.

    ``splits``: other examples; ``whole``: with a whole training behind it.
    """
    train, test = splits or splits_of(spec)
    peak = PeakMemory()
    ladder = climb.climb(backend, spec, train, test, dtypes, steps, whole=whole)
    header = create_header(
        "ladder",
        backend,
        spec,
        steps=steps,
        epochs=spec.training.epochs if whole else 0,
        dtypes=dtypes,
        device="cpu",
        ladder=ladder,
        peak=peak,
    )
    record.write(path, header, ladder.tensors)
    return path
