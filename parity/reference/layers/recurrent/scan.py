"""Run a recurrent cell over the steps of a sequence, with a mask."""

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
    """Outputs of a cell over x; a masked step keeps all states, and thus the output, unchanged.

    Args:
        step: maps x (N, in) and the states to new states, the first of which is the output.
        states: before the first step, (N, units) each.
        x: (N, T, in).
        mask: bool (N, T), false where a step is skipped; None for no mask.
        return_sequences: whether to return all outputs, or only the last.
        go_backwards: whether to process steps, and return outputs, in reverse order.
        zero_output_for_mask: whether masked steps return zeros (as within Bidirectional).

    Returns:
        (N, T, units) or (N, units).
    """
    outputs = []
    order = range(x.shape[1])
    for number in reversed(order) if go_backwards else order:
        new = step(x[:, number], states)
        keep = np.ones((len(x), 1), bool) if mask is None else mask[:, number, None]
        states = tuple(np.where(keep, a, b) for a, b in zip(new, states, strict=True))
        outputs.append(np.where(keep, states[0], 0.0) if zero_output_for_mask else states[0])
    return np.stack(outputs, 1) if return_sequences else states[0]


def weights_below(weights: Mapping[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    """The weights whose names begin with ``name/``, by the names without this prefix."""
    start = f"{name}/"
    return {key[len(start) :]: value for key, value in weights.items() if key.startswith(start)}
