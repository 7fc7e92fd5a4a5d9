"""Trained weights and the examples to use them on, for ``evaluate`` and ``predict``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from parity import rungs
from parity.adapters.backend import Backend, Model
from parity.cli.flags import resolve
from parity.data import datasets, examples
from parity.data.datasets import Split
from parity.data.files import decode_npz, read_bytes
from parity.errors import ParityError
from parity.ladder import record
from parity.ladder.record import Record
from parity.progress import Progress
from parity.specs.run import Spec


@dataclass(frozen=True)
class Trained:
    """A model with trained weights, and examples in its form.

    Attributes:
        split: the examples; ``y`` is 0 if it is not known.
        source: origin of the examples, as text.
        classes: name of each label.
    """

    spec: Spec
    backend: Backend
    model: Model
    dtype: str
    split: Split
    source: str
    classes: tuple[str, ...]

    def outputs(self) -> np.ndarray:
        """Return the model's outputs for the examples, (N, units)."""
        with Progress(f"{self.backend.name} {self.spec.family} on {self.source}"):
            return self.model.outputs(self.split)


def load(
    args: argparse.Namespace, labelled: bool, check: Callable[[Spec], None] | None = None
) -> Trained:
    """Read ``--weights`` and the examples, then start the backend.

    Args:
        args: the flags.
        labelled: whether the examples need labels.
        check: raises for specs that the command cannot use, before the backend starts.

    Raises:
        ParityError: the record is not a training record, its weights do not have the spec's
            shapes, or the examples cannot be used.
    """
    if args.input and (args.data_dir or args.download):
        flag = "--data-dir" if args.data_dir else "--download"
        raise ParityError(f"{flag}: does not apply with --input; accepted: one of the two")
    with record.read(Path(args.weights)) as trained:
        spec = trained.header.spec
        weights = _weights(trained)
        dtype = args.dtype or trained.header.dtypes[0]
    if check:
        check(spec)
    classes = _classes(spec, args.weights)
    if args.input:
        split, source = _own_examples(Path(args.input), spec, labelled), args.input
    else:
        split, source = _test_examples(args, spec), f"{spec.data.name} test set"
    backend = resolve.backend_for(args, spec)
    model = backend.create(spec, dtype)
    model.set_weights(weights)
    return Trained(spec, backend, model, dtype, split, source, classes)


def _classes(spec: Spec, weights: str) -> tuple[str, ...]:
    """Return the name of each label."""
    name = spec.data.name
    names = datasets.class_names(name)
    if spec.model.head == "sigmoid":
        examples.check_positive_class(spec.data.positive_class, classes=len(names), name=name)
        positive = names[spec.data.positive_class]
        return (f"not {positive}", positive)
    if spec.model.classes != len(names):
        raise ParityError(
            f"--weights: {weights}: classes: received {spec.model.classes}, "
            f"accepted: {len(names)}, which {name} has"
        )
    return names


def _test_examples(args: argparse.Namespace, spec: Spec) -> Split:
    """Return the test set of the data set that the weights were trained on."""
    return examples.for_model(spec, resolve.dataset_of(args, spec, args.weights).test)


def _weights(trained: Record) -> dict[str, np.ndarray]:
    """Return the weights of every parameter in the spec."""
    if trained.header.kind != "training":
        raise ParityError(
            f"--weights: {trained.path} is a {trained.header.kind} record, "
            "accepted: a training record (made by train --out)"
        )
    weights = {}
    for row in trained.header.spec.model.parameters():
        name = rungs.join(trained.header.dtypes[0], "parameters", row.name)
        received = trained.shape(name) if name in trained.names else "nothing"
        if received != row.shape:
            raise ParityError(
                f"--weights: {trained.path}: {row.name}: received {received}, accepted: {row.shape}"
            )
        weights[row.name] = trained.tensor(name)
    return weights


def _own_examples(path: Path, spec: Spec, labelled: bool) -> Split:
    """Read the user's examples from an .npz file: x, and if needed y and lengths.

    uint8 values are pixels and are scaled like those of the data set; other numbers are not scaled.
    Sequences without lengths have the full length.

    Raises:
        ParityError: an array is missing, or has another dtype, shape or range.
    """
    arrays = _arrays(path, ("x", "y") if labelled else ("x",))
    x, shape = arrays["x"], spec.model.input_shape
    if x.dtype.kind not in "fiu":
        raise ParityError(f"--input: x: received dtype {x.dtype}, accepted: numbers")
    if x.ndim == len(shape) and shape[-1] == 1:
        x = x[..., None]  # grey images without a channel axis
    if x.shape[1:] != shape:
        raise ParityError(
            f"--input: x: received shape {arrays['x'].shape}, "
            f"accepted: (N, {', '.join(map(str, shape))})"
        )
    lengths = arrays.get("lengths")
    variable = getattr(spec.model, "variable_length", False)
    if lengths is not None and not variable:
        raise ParityError(
            f"--input: lengths: received for a {spec.family} model of fixed length, accepted: none"
        )
    if lengths is None and len(shape) == 2:
        lengths = np.full(len(x), shape[0])
    y = arrays["y"] if labelled else np.zeros(len(x), np.int64)
    scale = datasets.max_pixel(spec.data.name) if x.dtype == np.uint8 else None
    with np.errstate(over="ignore"):  # values outside float32 become inf, which is refused
        pixels = x.astype(np.float32) / np.float32(scale or 1)
    classes = 2 if spec.model.head == "sigmoid" else spec.model.classes
    datasets.check(Split(pixels, y, lengths), classes, f"--input {path}")
    steps = lengths.astype(np.int64) if variable and lengths is not None else None
    return Split(pixels, y.astype(np.int64), steps)


def _arrays(path: Path, wanted: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Read the ``wanted`` arrays of an .npz file, and its lengths if there are any."""
    try:
        return decode_npz(read_bytes(path), wanted, path, optional=("lengths",))
    except ParityError as error:
        raise ParityError(f"--input: {error}") from None
