"""From flags to what a run needs: data, spec, backend."""

from __future__ import annotations

import argparse
from pathlib import Path

from parity import backend, cli, data, examples
from parity.backend import Backend, Settings
from parity.data import Dataset, Split
from parity.errors import ParityError
from parity.optimizers import DEFAULT_RATES, OptimizerSpec
from parity.specs.registry import MODELS
from parity.specs.run import DataSpec, Spec, TrainingSpec


def dataset_for(args: argparse.Namespace, family: str) -> Dataset:
    """Load the data set that the flags name, else the model's own."""
    return data.load(
        args.dataset or MODELS[family].default_dataset,
        size=args.data if args.data_dir is None or args.data == "full" else "auto",
        data_dir=args.data_dir,
        download=args.download,
    )


def spec_for(args: argparse.Namespace, family: str, dataset: Dataset) -> Spec:
    """The spec that the flags describe.

    Raises:
        ParityError: a value is out of range, or the model cannot take the data.
    """
    cls = MODELS[family]
    given = vars(args)
    fields = {
        name: given[name]
        for name, (_, families) in cli.model_fields().items()
        if family in families and given.get(name) is not None
    }
    if fields.get("head") == "sigmoid":
        classes = 2
        examples.check_positive_class(dataset, given.get("positive_class", 0))
    else:
        classes = len(dataset.classes)
        if "positive_class" in given:
            raise ParityError(
                f"--positive-class: received {given['positive_class']} with head 'softmax', "
                "accepted: with --head sigmoid only"
            )
    if dataset.train.lengths is None and "variable_length" in cls.__dataclass_fields__:
        fields.setdefault("variable_length", False)
    optimizer = {name: given[name] for name in _names(OptimizerSpec) if name in given}
    optimizer["name"] = given.get("optimizer", "adam")
    optimizer.setdefault("learning_rate", DEFAULT_RATES[optimizer["name"]])
    training = {name: given[name] for name in _names(TrainingSpec) if name in given}
    return Spec(
        family=family,
        model=cls(
            input_shape=cls.shape_for(dataset.input_shape, dataset.name), classes=classes, **fields
        ),
        optimizer=OptimizerSpec(**optimizer),
        training=TrainingSpec(**training),
        data=DataSpec(
            name=dataset.name,
            size=dataset.size,
            sha256=dataset.sha256,
            positive_class=given.get("positive_class", 0),
        ),
    )


def _names(cls: type) -> list[str]:
    return list(cls.__dataclass_fields__)  # type: ignore[attr-defined]


def refuse_foreign_options(args: argparse.Namespace, families: list[str]) -> None:
    """Refuse a model's option that none of the chosen models has.

    Raises:
        ParityError: naming the flag and the models that take it.
    """
    for name, (_, takers) in cli.model_fields().items():
        if getattr(args, name, None) is not None and not set(takers) & set(families):
            raise ParityError(
                f"{cli.flag_of(name)}: does not apply to model {', '.join(families)}; "
                f"accepted with: {', '.join(takers)}"
            )


def splits(spec: Spec, dataset: Dataset) -> tuple[Split, Split]:
    """Training and test examples as the model takes them, checked."""
    for split in (dataset.train, dataset.test):
        data.check(split, len(dataset.classes), dataset.name)
    return examples.fit(spec, dataset.train), examples.fit(spec, dataset.test)


def settings_for(args: argparse.Namespace, flavour: str | None = None) -> Settings:
    """How the process shall run."""
    chosen = flavour or getattr(args, "flavour", None) or "tf_keras"
    return Settings(flavour=chosen, device=args.device, threads=args.threads)


def backend_for(args: argparse.Namespace, flavour: str | None = None) -> Backend:
    """Start the backend whose entry point was called."""
    return backend.load(args.backend, settings_for(args, flavour))


def new_path(text: str) -> Path:
    """A path that must not exist yet.

    Raises:
        ParityError: it does.
    """
    path = Path(text)
    if path.exists():
        raise ParityError(f"--out: {path} exists already; give a new name, or remove it first")
    return path
