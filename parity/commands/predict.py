"""``predict``: labels and probabilities from trained weights."""

from __future__ import annotations

import argparse
import csv
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from parity import metrics
from parity.commands import prepare, trained
from parity.errors import ParityError

SUFFIXES = (".csv", ".npz")


def run(args: argparse.Namespace) -> int:
    """Print a line per example; with ``--out`` write a file as well."""
    out = prepare.new_path(args.out) if args.out else None
    if out and out.suffix not in SUFFIXES:
        raise ParityError(
            f"--out: received {args.out!r}, accepted: a name in {' or '.join(SUFFIXES)}"
        )
    found = trained.load(args, labelled=False)
    outputs = found.model.outputs(found.split)
    labels = metrics.labels(found.spec.model, outputs)
    probabilities = metrics.probabilities(found.spec.model, outputs)
    if out:
        _write(out, found.classes, labels, probabilities)
    lines = csv.writer(sys.stdout, delimiter="\t", lineterminator="\n")
    lines.writerows(_rows(found.classes, labels, probabilities))
    return 0


def _rows(
    classes: tuple[str, ...], labels: np.ndarray, probabilities: np.ndarray
) -> Iterator[list[str]]:
    yield ["example", "label", "class", *(f"p({name})" for name in classes)]
    for number, (label, row) in enumerate(zip(labels, probabilities, strict=True)):
        yield [str(number), str(label), classes[label], *(f"{p:.6f}" for p in row)]


def _write(
    out: Path, classes: tuple[str, ...], labels: np.ndarray, probabilities: np.ndarray
) -> None:
    """Write whole or not at all: to a temporary name, then renamed."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{out.stem}-", suffix=out.suffix, dir=out.parent)
        temporary = Path(name)
        try:
            if out.suffix == ".npz":
                with os.fdopen(handle, "wb") as binary:
                    np.savez_compressed(
                        binary,
                        labels=labels,
                        probabilities=probabilities,
                        classes=np.array(classes),
                    )
            else:
                with os.fdopen(handle, "w", newline="") as text:
                    csv.writer(text).writerows(_rows(classes, labels, probabilities))
            temporary.chmod(0o644)
            temporary.replace(out)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise ParityError(f"--out: cannot write {out}: {error.strerror or error}") from None
