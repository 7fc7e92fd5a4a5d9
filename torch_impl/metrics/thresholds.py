"""True and false positives and negatives at several thresholds, counted as in Keras."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from parity.constants import as_float32
from torch_impl.metrics.base import same_rank

EPSILON = 1e-7
"""Keras's ``epsilon()``."""

BELOW_ALL = -1e10
"""Keras's value for outputs outside the top k; also the threshold used with ``top_k``."""


@dataclass(frozen=True)
class Counts:
    """Weighted counts, each (thresholds,), or (thresholds, labels) if counted per label."""

    tp: Tensor
    fp: Tensor
    tn: Tensor
    fn: Tensor


def are_even(thresholds: Sequence[float]) -> bool:
    """Whether Keras treats the thresholds as 0, 1/(n−1), …, 1, for which it counts differently.

    They may differ by 1e-7 plus 1e-5 of their value; outputs are then compared with the even
    thresholds.
    """
    if len(thresholds) < 3:
        return False
    even = np.arange(len(thresholds), dtype=np.float32) / (len(thresholds) - 1)
    return bool(np.allclose(np.asarray(thresholds), even, atol=EPSILON))


def counted(
    outputs: Tensor,
    target: Tensor,
    thresholds: Sequence[float],
    *,
    dtype: torch.dtype,
    even: bool,
    sample_weight: Tensor | float | None = None,
    top_k: int | None = None,
    class_id: int | None = None,
    by_label: bool = False,
    label_weight: Tensor | None = None,
) -> Counts:
    """Count a batch; an output is positive if **strictly** above the threshold.

    Even thresholds are not compared: an output p counts for the first ⌈p(n − 1)⌉ of them, computed
    in ``dtype``, which can differ from a comparison by one rounding.
    Source: ``update_confusion_matrix_variables`` in ``…/metrics_utils.py`` of either Keras.

    Args:
        outputs: probabilities, (N, …) or (N, labels).
        target: of the same shape; every value except 0 is positive.
        thresholds: ascending.
        dtype: dtype for comparing and counting.
        even: the result of :func:`are_even`.
        sample_weight: weight of each example (N,), of each output, or one number. Keras 2 does not
            accept (N,) for outputs (N, 1) and targets (N,).
        top_k: outputs outside the k largest of the last axis count as negative; in a tie the
            first are positive.
        class_id: only this entry of the last axis counts.
        by_label: count each entry of the second axis separately.
        label_weight: (labels,), multiplied with the sample weights.

    Raises:
        ValueError: shapes do not fit.
    """
    scores, target = same_rank(outputs.to(dtype), target)
    weight = _weight(sample_weight, scores, class_id is not None)
    if top_k is not None:
        scores = _only_top(scores, top_k)
    if class_id is not None:
        if scores.ndim < 2:
            raise ValueError("class_id: received outputs of one axis, accepted: two or more")
        scores, target = scores[..., class_id, None], target[..., class_id, None]
    if label_weight is not None:
        weight = weight * label_weight
    weight = weight.expand_as(scores)
    positive = target.to(dtype) != 0
    ones, zeros = weight * positive, weight * ~positive
    shape = (len(scores), -1) if by_label else (-1, 1)
    scores, ones, zeros = (tensor.reshape(shape) for tensor in (scores, ones, zeros))
    if even:
        shifted = thresholds[0] < 0 or thresholds[-1] > 1
        places = _places(scores, len(thresholds), shifted)
        tp, fp = (_from_places(places, values, len(thresholds)) for values in (ones, zeros))
        tn, fn = zeros.sum(0) - fp, ones.sum(0) - tp
    else:
        limits = torch.tensor(thresholds, dtype=dtype, device=scores.device)
        above = scores > limits[:, None, None]
        tp, fp = (torch.where(above, values, 0).sum(1) for values in (ones, zeros))
        fn, tn = (torch.where(above, 0, values).sum(1) for values in (ones, zeros))
    if not by_label:
        tp, fp, tn, fn = (values.squeeze(-1) for values in (tp, fp, tn, fn))
    return Counts(tp, fp, tn, fn)


def _weight(weight: Tensor | float | None, scores: Tensor, of_examples: bool) -> Tensor:
    """Weights that broadcast to the outputs (N, …)."""
    if weight is None:
        return scores.new_ones(())
    if isinstance(weight, float):
        weight = as_float32(weight)  # as both Kerases do, whatever the dtype
    found = torch.as_tensor(weight, dtype=scores.dtype, device=scores.device)
    if found.ndim == scores.ndim + 1 and found.shape[-1] == 1:
        found = found.squeeze(-1)
    elif 0 < found.ndim == scores.ndim - 1:
        found = found.unsqueeze(-1)
    accepted = (*scores.shape[:-1], 1) if of_examples else tuple(scores.shape)
    fits = found.ndim == 0 or found.ndim == scores.ndim
    if not fits or any(a not in (1, b) for a, b in zip(found.shape, accepted, strict=False)):
        raise ValueError(
            f"sample_weight: received shape {tuple(torch.as_tensor(weight).shape)}, accepted: one "
            f"number, or what broadcasts to {accepted}"
        )
    return found


def _only_top(scores: Tensor, k: int) -> Tensor:
    """Outputs with all but the k largest of each row replaced by :data:`BELOW_ALL`."""
    if not 1 <= k <= scores.shape[-1]:
        raise ValueError(f"top_k: received {k}, accepted: 1 to {scores.shape[-1]}, the classes")
    best = scores.argsort(dim=-1, descending=True, stable=True)[..., :k]
    kept = torch.zeros_like(scores, dtype=torch.bool).scatter_(-1, best, True)
    return torch.where(kept, scores, BELOW_ALL)


def _places(scores: Tensor, count: int, shifted: bool) -> Tensor:
    """Number of the last even threshold below each output; −1: below all."""
    places = (scores.clamp(0.0, 1.0) * (count - 1)).ceil() - 1
    places = places.clamp(min=0.0 if shifted else -1.0)
    return places.nan_to_num(nan=-1.0).long()  # NaN counts as below all thresholds


def _from_places(places: Tensor, values: Tensor, count: int) -> Tensor:
    """(thresholds, columns): for each threshold, the values of places not below it."""
    bins = values.new_zeros((count + 1, values.shape[1]))
    bins.scatter_add_(0, places + 1, values)
    return bins[1:].flip(0).cumsum(0).flip(0)
