"""``evaluate``: loss, accuracy and other metrics of trained weights."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np

from parity.cli.flags import trained
from parity.errors import ParityError
from parity.reference.metrics import table
from parity.specs import objective, predictions


def run(args: argparse.Namespace) -> int:
    """Print loss and accuracy, a line for each metric, and the confusion matrix as a table."""
    names = list(dict.fromkeys(args.metrics))
    top_k = table.places(names, args.top_k)
    found = trained.load(
        args, labelled=True, check=lambda spec: predictions.check(names, spec.model, top_k)
    )
    outputs, y = found.outputs(), found.split.y
    if "auc" in names and not np.isfinite(outputs).all():
        raise ParityError(
            "--metrics: received auc for outputs with NaN or infinity, accepted: finite outputs"
        )
    scores = found.backend.scores(names, found.spec, outputs, y, top_k) if names else {}
    accuracy = predictions.accuracy(predictions.labels(found.spec.model, outputs), y)
    loss = objective.reference_loss(found.spec.model, y, outputs.astype(np.float64))
    print(
        f"{found.spec.family} on {found.source} ({len(outputs)} examples), {found.backend.name}, "
        f"{found.dtype}: loss {loss:.6f}  accuracy {accuracy:.4f}"
    )
    for name, value in scores.items():
        if name == "confusion_matrix":
            print("\n".join(_table(value, found.classes)))
        else:
            title = f"top_k (of {top_k})" if name == "top_k" else name
            print(f"{title:<16}{value:.6f}")
    return 0


def _table(matrix: np.ndarray, classes: tuple[str, ...]) -> Iterator[str]:
    """Yield the lines of the confusion matrix: a row per class, a column per predicted label."""
    yield "confusion_matrix (rows: classes, columns: predicted labels)"
    heads = [f"{number} {name}" for number, name in enumerate(classes)]
    first, width = max(map(len, heads)), max(len(str(matrix.max())), len(str(len(classes)))) + 1
    yield " " * first + "".join(f"{number:>{width}}" for number in range(len(classes)))
    for head, row in zip(heads, matrix, strict=True):
        yield f"{head:<{first}}" + "".join(f"{count:>{width}}" for count in row)
