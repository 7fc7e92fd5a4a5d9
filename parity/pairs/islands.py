"""What a Keras model's code computes in float32 although the model computes in float64.

Where it is computed in float64 instead, Keras's numbers may move by rounding and no more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from parity import tolerance
from parity.pairs.diagnosis import UNKNOWN
from parity.pairs.divergence import distance, largest
from parity.pairs.findings import Findings
from parity.pairs.fuse import fused_run
from parity.pairs.loss_causes import apart
from parity.pairs.side import Side
from parity.pairs.trainer import Batch, Key, Trainer
from parity.progress import Progress

if TYPE_CHECKING:
    from parity.pairs.training import Training

Parts = Sequence[Sequence[tuple[Key, Key]]]

ID = "dtype.float32"
"""Of the catalogue."""


def in_float64(
    findings: Findings,
    inputs: Sequence[np.ndarray],
    torch_inputs: Sequence[np.ndarray] | None,
) -> tuple[Findings, list[str]]:
    """The comparison once more with that in float64, where it explains something.

    Keras's side stays so then, for its training.

    Args:
        findings: of the models as they are.
        inputs: as of :func:`parity.pairs.check.check`.
        torch_inputs: likewise.

    Returns:
        The new findings and a note with the figures, where fewer differences are unknown then and
        Keras's outputs have moved by no more than rounding; else the old ones.
    """
    keras, apart = findings.keras, findings.outputs_apart()
    known = (findings.rounded or findings.causes) and not _unknown(findings)
    small = findings.causes and findings.farthest() <= tolerance.FLOAT32_FLOOR
    if not keras.rounded or not apart or (known and not small):
        return findings, []
    keras.whole = True
    run = fused_run(keras.run(inputs))
    moved = max(
        distance(run.outputs[name], own) for name, own in findings.keras_run.outputs.items()
    )
    torch_run = fused_run(findings.torch.run(inputs, torch_inputs).facing(run))
    alignment = findings.alignment.of(run, torch_run)
    other = Findings(keras, findings.torch, run, torch_run, alignment)
    with Progress("layers", len(alignment.pairs)) as progress:
        other.compare(inputs, torch_inputs, progress)
    explains = _unknown(other) < _unknown(findings) or not other.outputs_apart()
    if not explains or moved > tolerance.FLOAT32_FLOOR:
        keras.whole = False
        return findings, []
    return other, [_note(keras.rounded, max(one.observed for one in apart), other.farthest())]


def trained_in_float64(keras: Side, train: Callable[[], Training]) -> Training:
    """Training, once more with that in float64 where a loss parts for no reason that is known.

    Args:
        keras: the Keras side; it stays so where nothing is left then.
        train: trains both sides' models, from where they began.
    """
    found = train()
    early = all(one.rung in ("forward_train", "loss") for one in found.parted)
    known = any(one.id != UNKNOWN for one in found.causes)
    if keras.whole or not found.parted or not early or known:
        return found
    keras.whole = True
    again = train()
    if again.parted or "loss" not in again.rungs:
        keras.whole = False
        return found
    away = max(one.observed for one in found.parted)
    again.notes.append(
        f"{ID}: in training, Keras's side computes in float32, whatever the model's own dtype. "
        f"With that in float64 nothing is left of {away:.1g}. This is rounding, and no fault."
    )
    return again


def moved_by(keras: Side, trainer: Trainer, batch: Batch, parts: Parts) -> float:
    """How far Keras's loss and gradients in float64 throughout stand from those as the model is.

    Args:
        keras: the Keras side, which is so again in the end; 0 where nothing of it is changed.
        trainer: its trainer.
        batch: that the gradients are of.
        parts: weights whose gradients are looked at together, first Keras's name of each.

    Returns:
        The largest difference, relative to the loss or the largest entry of all gradients; inf
        where one is missing.
    """
    away = scale = losses = 0.0
    for part in parts if keras.whole else ():
        keys = [key for key, _ in part]
        loss, own = trainer.gradients(batch, 0, keys)
        keras.whole = False
        before, plain = trainer.gradients(batch, 0, keys)
        keras.whole = True
        if own.keys() != plain.keys():
            return float("inf")
        losses = apart(loss, before)
        for key, value in own.items():
            away, scale = max(away, largest(value - plain[key])), max(scale, largest(value))
    return max(losses, away / scale if scale else away)


def _unknown(findings: Findings) -> int:
    return sum(cause.id == UNKNOWN for cause in findings.causes)


def _note(rounded: Mapping[str, str], before: float, after: float) -> str:
    places = ", ".join(f"{place} ({what})" if what else place for place, what in rounded.items())
    return (
        f"{ID}: Keras's model computes in float32, whatever its own dtype, in {places}. With that "
        f"in float64 its outputs are {after:.1g} from PyTorch's in place of {before:.1g}; all else "
        "is compared so. This is rounding, and no fault."
    )
