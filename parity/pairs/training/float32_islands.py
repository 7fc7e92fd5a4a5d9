"""Training of a pair where Keras code computes in float32 by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from parity.adapters.side import Side
from parity.adapters.trainer import Batch, Key, Trainer
from parity.numerics import tolerance
from parity.numerics.distance import largest_entry, relative_error
from parity.pairs.forward.float32_islands import ID
from parity.verdict.result import NOT_RUN, UNKNOWN, Findings

Parts = Sequence[Sequence[tuple[Key, Key]]]


def train(compare: Callable[[bool], Findings], promote: bool, torch: Side) -> Findings:
    """Compare training; once more with that in float64 where a loss differs without known cause.

    Args:
        compare: trains and compares both models; its argument is whether Keras computes in float64
            what its code computes in float32.
        promote: whether it does so from the start.
        torch: the PyTorch model, which may do so as well where the difference is small.
    """
    found = compare(promote)
    early = {one.rung for one in found.divergences[:1]} <= {"forward_train", "loss"}
    known = any(one.id != UNKNOWN for one in found.causes)
    if not found.divergences or not early or known:
        return found
    before = max(one.observed for one in found.divergences)
    promoted = promote, torch.promote_to_float64
    names = {(True, False): "Keras's", (False, True): "PyTorch's", (True, True): "either"}
    for variant, name in names.items():
        keras, torch_too = variant
        if variant == promoted or (torch_too and before > tolerance.SAME_CONSTANT):
            continue
        torch.promote_to_float64 = torch_too
        again = compare(keras)
        if again.divergences or again.status("loss") == NOT_RUN:
            continue
        note = (
            f"{ID}: in training, {name} side computes in float32, whatever the model's own dtype. "
            f"With that in float64 the difference of {before:.1g} disappears. This is rounding, "
            "not a fault."
        )
        return replace(again, notes=(*again.notes, note))
    torch.promote_to_float64 = promoted[1]
    return found


def change(trainer: Trainer, batch: Batch, parts: Parts) -> float:
    """The change of Keras's loss and gradients by computing everything in float64.

    Args:
        trainer: Keras's.
        batch: what the gradients are of; with its option ``promote_to_float64``, else the change
            is 0.
        parts: weights whose gradients are computed together, the key of each in Keras first.

    Returns:
        The largest difference, relative to the loss or the largest entry of all gradients; inf
        where a gradient is missing.
    """
    options = batch.keras_options
    plain_batch = replace(batch, keras_options=replace(options, promote_to_float64=False))
    difference = scale = losses = 0.0
    for part in parts if options.promote_to_float64 else ():
        keys = [key for key, _ in part]
        loss, promoted = trainer.gradients(batch, 0, keys)
        plain_loss, plain = trainer.gradients(plain_batch, 0, keys)
        if promoted.keys() != plain.keys():
            return float("inf")
        losses = relative_error(loss, plain_loss)
        for key, value in promoted.items():
            difference = max(difference, largest_entry(value - plain[key]))
            scale = max(scale, largest_entry(value))
    return max(losses, difference / scale if scale else difference)
