"""Trained weights and the examples to use them on, for ``evaluate`` and ``predict``."""

from __future__ import annotations

import argparse
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from parity import data, examples, record, rungs
from parity.backend import Backend, Model
from parity.commands import prepare
from parity.data import Split
from parity.errors import ParityError
from parity.record import Record
from parity.specs.run import Spec


@dataclass(frozen=True)
class Trained:
    """A model with trained weights, and examples as it takes them (``y`` is −1 where unknown)."""

    spec: Spec
    backend: Backend
    model: Model
    dtype: str
    split: Split
    source: str
    classes: tuple[str, ...]


def load(args: argparse.Namespace, labelled: bool) -> Trained:
    """Read ``--weights`` and the examples, then start the backend.

    Raises:
        ParityError: the record is no training record, its weights do not fit its spec, or the
            examples are unusable.
    """
    with record.read(Path(args.weights)) as trained:
        spec = trained.header.spec
        weights = _weights(trained)
        dtype = args.dtype or trained.header.dtypes[0]
    dataset = data.load(
        spec.data.name, size=spec.data.size, data_dir=args.data_dir, download=args.download
    )
    if dataset.sha256 != spec.data.sha256:
        raise ParityError(
            f"{dataset.source}: sha256 {dataset.sha256[:12]}… is not the one trained on, "
            f"{spec.data.sha256[:12]}…"
        )
    if args.input:
        split, source = _own_examples(Path(args.input), spec, labelled), args.input
    else:
        data.check(dataset.test, len(dataset.classes), dataset.name)
        split, source = examples.fit(spec, dataset.test), f"{dataset.name} test set"
    backend = prepare.backend_for(args, spec.model.flavour)
    model = backend.create(spec, dtype)
    model.set_weights(weights)
    names = dataset.classes
    if spec.model.head == "sigmoid":
        positive = names[spec.data.positive_class]
        names = (f"not {positive}", positive)
    return Trained(spec, backend, model, dtype, split, source, names)


def _weights(trained: Record) -> dict[str, np.ndarray]:
    """Every tensor of the spec's table, of the right shape."""
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
    """Examples of the user's own from an .npz: x, and where it applies y and lengths.

    Bytes (uint8) are taken for pixels and scaled by 1/255, as the data sets are.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise ParityError(f"--input: {path} does not exist") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise ParityError(f"--input: {path} is no readable .npz file ({error})") from None
    if "x" not in arrays or (labelled and "y" not in arrays):
        wanted = "x and y" if labelled else "x"
        raise ParityError(
            f"--input: {path} holds {', '.join(arrays) or 'nothing'}, accepted: arrays {wanted}"
        )
    x, shape = arrays["x"], spec.model.input_shape
    if x.dtype.kind not in "fiu":
        raise ParityError(f"--input: x: received dtype {x.dtype}, accepted: numbers")
    if x.ndim == len(shape) and shape[-1] == 1:
        x = x[..., None]  # grey images without a channel axis
    if x.shape[1:] != shape:
        raise ParityError(
            f"--input: x: received shape {arrays['x'].shape}, accepted: (N, {', '.join(map(str, shape))})"
        )
    scaled = x / np.float32(255) if x.dtype == np.uint8 else x
    lengths = arrays.get("lengths")
    if getattr(spec.model, "variable_length", False) and lengths is None:
        lengths = np.full(len(x), shape[0])
    classes = 2 if spec.model.head == "sigmoid" else spec.model.classes
    y = arrays["y"] if labelled else np.zeros(len(x), np.int64)
    if y.dtype.kind not in "iu" or y.shape != (len(x),):
        raise ParityError(
            f"--input: y: received {y.dtype} of shape {y.shape}, accepted: integers of shape ({len(x)},)"
        )
    split = Split(
        x=scaled.astype(np.float32),
        y=y.astype(np.int64),
        lengths=None if lengths is None else np.asarray(lengths).astype(np.int64),
    )
    data.check(split, classes, f"--input {path}")
    return split
