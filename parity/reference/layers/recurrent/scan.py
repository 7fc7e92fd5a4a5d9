"""What recurrent layers share: going over the steps, and what a mask does to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

States = tuple[np.ndarray, ...]
Step = Callable[[np.ndarray, States], States]


def scan(
    step: Step,
    states: States,
    x: np.ndarray,
    mask: np.ndarray | None,
    *,
    return_sequences: bool,
    go_backwards: bool,
    zero_output_for_mask: bool = False,
) -> np.ndarray:
    """Outputs of a cell over x; a masked step leaves all states, and so the output, as they were.

    Args:
        step: of x (N, in) and the states, the first of which is the output.
        states: before the first step, (N, units) each.
        x: (N, T, in).
        mask: bool (N, T), false where a step is left out; None: all count.
        return_sequences: whether all outputs are asked for, or the last.
        go_backwards: whether steps, and outputs, come in reverse.
        zero_output_for_mask: whether masked steps put out zeros (within Bidirectional they do).

    Returns:
        (N, T, units) or (N, units).
    """
    outputs = []
    order = range(x.shape[1])
    for number in reversed(order) if go_backwards else order:
        moved = step(x[:, number], states)
        keep = np.ones((len(x), 1), bool) if mask is None else mask[:, number, None]
        states = tuple(np.where(keep, a, b) for a, b in zip(moved, states, strict=True))
        outputs.append(np.where(keep, states[0], 0.0) if zero_output_for_mask else states[0])
    return np.stack(outputs, 1) if return_sequences else states[0]


def weights_below(weights: Mapping[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    """The weights whose names begin with ``name/``, without it."""
    start = f"{name}/"
    return {key[len(start) :]: value for key, value in weights.items() if key.startswith(start)}
