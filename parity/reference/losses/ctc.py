"""NumPy reference of the CTC loss.

Source: Graves et al., "Connectionist temporal classification", 2006; ``keras/src/losses/losses.py``
(``ctc``), where the blank label is 0. In PyTorch it is an argument, also 0 by default.
"""

from __future__ import annotations

import numpy as np


def ctc_losses(target: np.ndarray, logits: np.ndarray, blank: int = 0) -> np.ndarray:
    """−log of the sum, over all alignments, of the product of each step's softmax probability.

    An alignment is a label per step which, without repetitions and then without blanks, is the
    target. The blank label also pads the targets.

    Args:
        target: integers (N, labels).
        logits: (N, steps, classes).
        blank: the blank label.

    Returns:
        The losses (N,) in nats; inf if a target does not fit in the steps.
    """
    highest = logits.max(-1, keepdims=True)
    logs = logits - highest - np.log(np.exp(logits - highest).sum(-1, keepdims=True))
    lengths = (target != blank).sum(-1)
    pairs = zip(target, logs, lengths, strict=True)
    return np.array([_loss(labels[:length], steps, blank) for labels, steps, length in pairs])


def _loss(labels: np.ndarray, logs: np.ndarray, blank: int) -> float:
    states = np.full(2 * len(labels) + 1, blank)
    states[1::2] = labels
    may_skip = (states[2:] != blank) & (states[2:] != states[:-2])
    reached = np.full(len(states), -np.inf)
    reached[:2] = logs[0, states[:2]]
    for step in logs[1:]:
        before = reached
        reached = before.copy()
        reached[1:] = np.logaddexp(reached[1:], before[:-1])
        reached[2:] = np.where(may_skip, np.logaddexp(reached[2:], before[:-2]), reached[2:])
        reached = reached + step[states]
    return -float(np.logaddexp.reduce(reached[-2:]))
