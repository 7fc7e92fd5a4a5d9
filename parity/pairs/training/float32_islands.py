"""Training of a pair where Keras code computes in float32 by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from parity.adapters.side import Side
from parity.adapters.trainer import Batch, Key, Trainer
from parity.numerics.arrays import largest
from parity.pairs.causes.loss import apart
from parity.pairs.forward.float32_islands import ID
from parity.pairs.training.result import Training
from parity.verdict.result import UNKNOWN

Parts = Sequence[Sequence[tuple[Key, Key]]]


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
