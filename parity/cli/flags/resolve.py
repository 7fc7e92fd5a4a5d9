"""Conversion of flags to the data set, the spec and the backend of a run."""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections.abc import Mapping
from typing import Any

from parity.adapters import backend
from parity.adapters.backend import Backend, Settings
from parity.cli.flags.spec import flag_of, model_fields
from parity.data import batches, datasets, examples
from parity.data.datasets import Dataset, Split
from parity.errors import ParityError
from parity.progress import Progress
from parity.reference.optimizers.spec import OptimizerSpec
from parity.reference.schedules.spec import SCHEDULES, ScheduleSpec
from parity.specs.callbacks import CallbacksSpec
from parity.specs.registry import MODELS
from parity.specs.run import Spec
from parity.specs.training import DataSpec, TrainingSpec

BYTES = 8
"""Bytes per number in float64."""


def dataset_for(args: argparse.Namespace, family: str) -> Dataset:
    """Load the data set that the flags name, else the model's own.

    Without ``--data``, ``train`` uses the full set if found, and ``record`` the embedded one if it
    exists; ``--data-dir`` and ``--download`` request the full set.
    """
    name = args.dataset or MODELS[family].default_dataset
    full_requested = args.data_dir is not None or bool(args.download)
    embedded = args.command == "record" and datasets.is_embedded(name) and not full_requested
    default = "embedded" if embedded else "auto"
    return datasets.load(
        name, size=args.data or default, data_dir=args.data_dir, download=bool(args.download)
    )


def dataset_of(args: argparse.Namespace, spec: Spec, where: str) -> Dataset:
    """Load the data set with the checksum in a spec; ``where`` is the record with the spec.

    Raises:
        ParityError: the data set is not found or has another checksum, or the flags request the
            full set but the spec has the embedded one.
    """
    if spec.data.size == "embedded" and (
        flags := datasets.full_set_flags(args.data_dir, args.download)
    ):
        raise ParityError(
            f"{flags}: does not apply to {where}, made from the embedded {spec.data.name}; "
            "accepted: neither --data-dir nor --download"
        )
    dataset = datasets.load(
        spec.data.name, size=spec.data.size, data_dir=args.data_dir, download=bool(args.download)
    )
    if dataset.sha256 != spec.data.sha256:
        raise ParityError(
            f"{dataset.source}: sha256 {dataset.sha256[:12]}… is not the one of {where}, "
            f"{spec.data.sha256[:12]}…"
        )
    return dataset


def spec_for(args: argparse.Namespace, family: str, dataset: Dataset) -> Spec:
    """Create the spec that the flags describe.

    Raises:
        ParityError: a value is out of range, the model does not accept the data, or it is too
            large for this machine.
    """
    cls = MODELS[family]
    given = vars(args)
    fields = {
        name: given[name]
        for name, (_, families) in model_fields().items()
        if family in families and given.get(name) is not None
    }
    if fields.get("head") == "sigmoid":
        classes = 2
        positive = given.get("positive_class", 0)
        examples.check_positive_class(positive, classes=len(dataset.classes), name=dataset.name)
    else:
        classes = len(dataset.classes)
        if "positive_class" in given:
            raise ParityError(
                f"--positive-class: received {given['positive_class']} with head 'softmax', "
                "accepted: with --head sigmoid only"
            )
    if dataset.train.lengths is None and "variable_length" in _names(cls):
        fields.setdefault("variable_length", False)
    optimizer = {name: given[name] for name in _names(OptimizerSpec) if name in given}
    optimizer["name"] = given.get("optimizer", "adam")
    training = TrainingSpec(**{name: given[name] for name in _names(TrainingSpec) if name in given})
    callbacks = {name: given[name] for name in _names(CallbacksSpec) if name in given}
    spec = Spec(
        family=family,
        model=cls(
            input_shape=cls.shape_for(dataset.input_shape, dataset.name, fields),
            classes=classes,
            **fields,
        ),
        optimizer=OptimizerSpec(**optimizer),
        training=training,
        schedule=_schedule(given, training, len(dataset.train.x)),
        callbacks=CallbacksSpec(**callbacks),
        data=DataSpec(
            name=dataset.name,
            size=dataset.size,
            sha256=dataset.sha256,
            positive_class=given.get("positive_class", 0),
        ),
    )
    _refuse_too_large(spec)
    return spec


def _schedule(given: Mapping[str, Any], training: TrainingSpec, examples: int) -> ScheduleSpec:
    """Create the schedule; by default it lasts the whole training, or an epoch if it restarts."""
    fields = {name: given[name] for name in _names(ScheduleSpec) if name in given}
    fields["name"] = name = given.get("lr_schedule", "constant")
    if "decay_steps" in SCHEDULES[name].options and "decay_steps" not in fields:
        epochs = 1 if name == "cosine_restarts" else training.epochs
        fields["decay_steps"] = epochs * batches.steps_per_epoch(training, examples)
    return ScheduleSpec(**fields)


def _names(cls: type) -> list[str]:
    return [entry.name for entry in dataclasses.fields(cls)]


def _refuse_too_large(spec: Spec) -> None:
    parameters = sum(row.size for row in spec.model.parameters())
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    each = BYTES * (2 + len(spec.optimizer.slots))  # value, gradient and slots
    if parameters * each > memory:
        raise ParityError(
            f"model {spec.family}: received options that make {parameters:,} parameters, accepted: "
            f"at most {memory // each:,} in the memory of this machine"
        )


def refuse_foreign_options(args: argparse.Namespace, families: list[str]) -> None:
    """Check that each given model option applies to one of the chosen models.

    Raises:
        ParityError: an option does not; the message lists the models that accept it.
    """
    for name, (_, takers) in model_fields().items():
        if getattr(args, name, None) is not None and not set(takers) & set(families):
            raise ParityError(
                f"{flag_of(name)}: does not apply to model {', '.join(families)}; "
                f"accepted with: {', '.join(takers)}"
            )


def splits(spec: Spec, dataset: Dataset) -> tuple[Split, Split]:
    """Return training and test examples in the model's form."""
    return examples.for_model(spec, dataset.train), examples.for_model(spec, dataset.test)


def backend_for(args: argparse.Namespace, spec: Spec) -> Backend:
    """Start the backend whose entry point was called, with the spec's Keras.

    Raises:
        ParityError: its framework cannot be imported, or the device does not exist.
    """
    settings = Settings(flavour=spec.model.flavour, device=args.device, threads=args.threads or 0)
    try:
        with Progress(f"starting {args.backend}"):
            return backend.load(args.backend, settings)
    except ImportError as error:
        raise ParityError(
            f"{args.backend} cannot be imported: {error}; install it again with: "
            f"pip install -c constraints.txt '.[{args.backend}]'"
        ) from None
