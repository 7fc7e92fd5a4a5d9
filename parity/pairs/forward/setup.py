"""Both models of a pair in one dtype, with the same weights, their calls side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from parity.adapters.side import Side, open_side, refuse_empty
from parity.errors import ParityError
from parity.numerics import tolerance
from parity.numerics.arrays import distance
from parity.pairs.align import unowned_parameters
from parity.pairs.align.fusion import fused_run
from parity.pairs.align.match import Alignment, align
from parity.pairs.forward.compare import Findings
from parity.progress import Progress

WEIGHTS = ("keras", "torch", "as-is")
"""Whose are carried over to the other model."""

STAGES = 5
"""Of having both models run with the same weights, as progress counts them."""


def aligned(
    keras_model: Any,
    torch_model: Any,
    inputs: list[np.ndarray],
    own: list[np.ndarray] | None,
    weights: str,
    layer_map: Mapping[str, str] | None,
    dtype: str,
    progress: Progress,
) -> tuple[Findings, list[str]]:
    """Both models run with the same weights, their calls side by side.

    Args:
        keras_model: as of :func:`parity.pairs.check.check`; so are the next five.
        torch_model: likewise.
        inputs: likewise.
        own: PyTorch's.
        weights: likewise.
        layer_map: likewise.
        dtype: of both.
        progress: counts :data:`STAGES`.

    Returns:
        Nothing found as yet, and sentences on weights that did not fit.

    Raises:
        CannotRun: a model cannot be had or called in that dtype.
        ParityError: an argument cannot be used.
    """
    keras = open_side("keras", keras_model, dtype)
    progress.advance("Keras's is built")
    torch = open_side("torch", torch_model, dtype)
    progress.advance("PyTorch's is built")
    keras_run = fused_run(keras.run(inputs))
    progress.advance("Keras's has run")
    torch_run = fused_run(torch.run(inputs, own).facing(keras_run))
    progress.advance("PyTorch's has run")
    refuse_empty("keras_model", keras, keras_run)
    refuse_empty("torch_model", torch, torch_run)
    if len(keras_run.outputs) != len(torch_run.outputs):
        raise ParityError(
            f"outputs: received {', '.join(keras_run.outputs)} of Keras and "
            f"{', '.join(torch_run.outputs)} of PyTorch, accepted: as many of either"
        )
    alignment = align(keras_run.calls, torch_run.calls, layer_map)
    notes = []
    if weights != "as-is":
        notes += _copy_weights(alignment, keras, torch, weights)
        if weights == "torch":
            keras_run.forget()
            keras_run = fused_run(keras.run(inputs))
        torch_run.forget()
        torch_run = fused_run(torch.run(inputs, own).facing(keras_run))
        alignment = alignment.of(keras_run, torch_run)
    progress.advance("they have the same weights")
    return Findings(keras, torch, keras_run, torch_run, alignment), notes


def drawn(found: Findings, inputs: list[np.ndarray], own: list[np.ndarray] | None) -> list[str]:
    """A note where PyTorch's model gives something else each time, in evaluation mode.

    Raises:
        ParityError: Keras's does, so that there is nothing to compare with.
    """
    for name, side, given in (("keras", found.keras, None), ("torch", found.torch, own)):
        first, second = (side.run(inputs, given).outputs.values() for _ in range(2))
        both = zip(first, second, strict=True)
        moved = [pair for pair in both if not np.array_equal(*pair, equal_nan=True)]
        away = max((distance(*pair) for pair in moved), default=0.0)
        if away <= tolerance.FLOAT32_FLOOR:
            continue
        what = f"outputs in evaluation mode stand {away:.1g} apart from one call to the next"
        if name == "torch":
            return [f"PyTorch's model draws numbers where it must not: its {what}."]
        raise ParityError(
            f"keras_model: received {type(side.model).__name__}, whose {what}, accepted: a model "
            "that draws no numbers there; what it draws may be an input"
        )
    return []


def not_numbers(found: Findings) -> list[str]:
    """A note on outputs of Keras's own that hold NaN."""
    held = [name for name, value in found.keras_run.outputs.items() if np.isnan(value).any()]
    return [f"Keras's own {name} holds NaN, which equals nothing." for name in held]


def _copy_weights(alignment: Alignment, keras: Side, torch: Side, weights: str) -> list[str]:
    """Each layer's weights over to its partner; what does not fit is told and left as it is."""
    notes = []
    for k, t in alignment.pairs:
        source, target = (k, t) if weights == "keras" else (t, k)
        fitting = {
            name: value
            for name, value in source.weights.items()
            if name in target.weights and target.weights[name].shape == value.shape
        }
        side = torch if weights == "keras" else keras
        if fitting:
            side.set_weights(target.name, fitting)
        left = sorted({*k.weights, *t.weights} - {*fitting})
        if left:
            notes.append(f"{k.name} / {t.name}: not copied, for they do not fit: {', '.join(left)}")
    carried = unowned_parameters.carry(alignment, keras, torch, weights)
    if carried.keras and carried.torch:
        names = f"Keras's {', '.join(carried.keras)}; PyTorch's {', '.join(carried.torch)}"
        notes.append(
            f"Parameters that no layer holds, not copied, for none is like another: {names}"
        )
    return notes
