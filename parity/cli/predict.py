"""``predict``: print labels and probabilities computed with trained weights."""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Iterator

import numpy as np

from parity.cli.flags import trained
from parity.data import files
from parity.errors import ParityError
from parity.specs import predictions
from parity.system import atomic, destinations

SUFFIXES = (".csv", ".npz")


def run(args: argparse.Namespace) -> int:
    """Print a line per example; with ``--out`` also write a file."""
    out = destinations.new_path(args.out) if args.out else None
    if out and out.suffix not in SUFFIXES:
        raise ParityError(
            f"--out: received {args.out!r}, accepted: a name ending in {' or '.join(SUFFIXES)}"
        )
    found = trained.load(args, labelled=False)
    computed = found.outputs()
    labels = predictions.labels(found.spec.model, computed)
    probabilities = predictions.probabilities(found.spec.model, computed)
    if out:
        content = _file(out.suffix, found.classes, labels, probabilities)
        atomic.write_atomically(out, content)
    lines = csv.writer(sys.stdout, delimiter="\t", lineterminator="\n")
    lines.writerows(_rows(found.classes, labels, probabilities))
    return 0


def _rows(
    classes: tuple[str, ...], labels: np.ndarray, probabilities: np.ndarray
) -> Iterator[list[str]]:
    yield ["example", "label", "class", *(f"p({name})" for name in classes)]
    for number, (label, row) in enumerate(zip(labels, probabilities, strict=True)):
        yield [str(number), str(label), classes[label], *(f"{p:.6f}" for p in row)]


def _file(
    suffix: str, classes: tuple[str, ...], labels: np.ndarray, probabilities: np.ndarray
) -> bytes:
    """Return the content of a file: .npz with the arrays, or .csv with the printed rows."""
    if suffix == ".npz":
        named = {"labels": labels, "probabilities": probabilities, "classes": np.array(classes)}
        return files.encode_npz(named)
    text = io.StringIO(newline="")
    csv.writer(text).writerows(_rows(classes, labels, probabilities))
    return text.getvalue().encode()
