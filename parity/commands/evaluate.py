"""``evaluate``: loss and accuracy of trained weights."""

from __future__ import annotations

import argparse

import numpy as np

from parity import losses, metrics, trained


def run(args: argparse.Namespace) -> int:
    """Print one line."""
    found = trained.load(args, labelled=True)
    outputs = found.outputs()
    accuracy = metrics.accuracy(metrics.labels(found.spec.model, outputs), found.split.y)
    loss = losses.reference_loss(found.spec.model, found.split.y, outputs.astype(np.float64))
    print(
        f"{found.spec.family} on {found.source} ({len(outputs)} examples), {found.backend.name}, "
        f"{found.dtype}: loss {loss:.6f}  accuracy {accuracy:.4f}"
    )
    return 0
