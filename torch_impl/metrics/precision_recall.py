"""Precision and recall, at one threshold or several."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from torch_impl.metrics.base import Metric, divided
from torch_impl.metrics.thresholds import BELOW_ALL, Counts, are_even, counted


class _AtThresholds(Metric):
    """Base class: TP / (TP + n), where n is the count that ``missing`` names."""

    missing: str

    def __init__(
        self,
        thresholds: float | Sequence[float] | None = None,
        top_k: int | None = None,
        class_id: int | None = None,
        *,
        dtype: torch.dtype | None = None,
        flavour: str = "tf_keras",
    ) -> None:
        super().__init__(dtype=dtype, flavour=flavour)
        if thresholds is None:
            self.thresholds = [0.5 if top_k is None else BELOW_ALL]
        elif isinstance(thresholds, Sequence):
            self.thresholds = list(thresholds)
        else:
            self.thresholds = [float(thresholds)]
        if thresholds is not None and not all(0 <= limit <= 1 for limit in self.thresholds):
            raise ValueError(f"thresholds: received {thresholds}, accepted: numbers from 0 to 1")
        if not self.thresholds:
            raise ValueError("thresholds: received none, accepted: one or more numbers")
        if top_k is not None and top_k < 1:
            raise ValueError(f"top_k: received {top_k}, accepted: 1 or more")
        self.top_k = top_k
        self.class_id = class_id

    @torch.no_grad()
    def update(
        self, outputs: Tensor, target: Tensor, sample_weight: Tensor | float | None = None
    ) -> None:
        """See :meth:`Metric.update`; outputs and targets of equal shapes."""
        counts: Counts = counted(
            outputs,
            target,
            self.thresholds,
            dtype=self.dtype,
            even=are_even(self.thresholds),
            sample_weight=sample_weight,
            top_k=self.top_k,
            class_id=self.class_id,
        )
        self.add("tp", counts.tp)
        self.add(self.missing, getattr(counts, self.missing))

    def compute(self) -> Tensor:
        """A scalar for one threshold, otherwise (thresholds,); 0 instead of a division by zero."""
        shape = (len(self.thresholds),)
        tp, missing = self.so_far("tp", shape), self.so_far(self.missing, shape)
        found = divided(tp, tp + missing)
        return found[0] if len(self.thresholds) == 1 else found


class Precision(_AtThresholds):
    """TP / (TP + FP): the share of predicted positives that are correct.

    An output is positive if **strictly** above the threshold. All entries of outputs (N, …) count
    equally, unless ``class_id`` selects one entry of the last axis.
    Source: ``…/metrics/confusion_metrics.py`` of either Keras.

    Args:
        thresholds: one or several, from 0 to 1; None for 0.5, or for no threshold with ``top_k``.
        top_k: only the k largest of the last axis can be positive; in a tie the first.
        class_id: count only this entry of the last axis.
        **common: see :class:`Metric`.

    Raises:
        ValueError: a value is out of range.
    """

    missing = "fp"


class Recall(_AtThresholds):
    """TP / (TP + FN): the share of actual positives that are found. As :class:`Precision`."""

    missing = "fn"
