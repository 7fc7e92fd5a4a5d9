"""Counts of true and false positives and negatives, and the best rate under a constraint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from torch_impl.metrics.base import Metric, divided
from torch_impl.metrics.thresholds import are_even, counted


class _Counted(Metric):
    """Base class: some of the four counts at thresholds.

    Source: ``…/metrics/confusion_metrics.py`` of either Keras.
    """

    names: ClassVar[tuple[str, ...]]
    thresholds: Sequence[float]
    class_id: int | None = None

    @torch.no_grad()
    def update(
        self, outputs: Tensor, target: Tensor, sample_weight: Tensor | float | None = None
    ) -> None:
        """See :meth:`Metric.update`; outputs and targets of equal shapes."""
        counts = counted(
            outputs,
            target,
            self.thresholds,
            dtype=self.dtype,
            even=are_even(self.thresholds),
            sample_weight=sample_weight,
            class_id=self.class_id,
        )
        for name in self.names:
            self.add(name, getattr(counts, name))

    def count(self, name: str) -> Tensor:
        """A count of all batches, (thresholds,)."""
        return self.so_far(name, (len(self.thresholds),))


class _Count(_Counted):
    def __init__(self, thresholds: float | Sequence[float] | None = None, **common: Any) -> None:
        super().__init__(**common)
        given = 0.5 if thresholds is None else thresholds
        self.thresholds = list(given) if isinstance(given, Sequence) else [float(given)]
        if not self.thresholds or not all(0 <= limit <= 1 for limit in self.thresholds):
            raise ValueError(f"thresholds: received {thresholds}, accepted: numbers from 0 to 1")

    def compute(self) -> Tensor:
        """A scalar for one threshold, otherwise (thresholds,)."""
        found = self.count(self.names[0])
        return found[0] if len(self.thresholds) == 1 else found


class TruePositives(_Count):
    """Σ w of the positive targets whose output is **strictly** above the threshold.

    Args:
        thresholds: one or several, from 0 to 1; None for 0.5.
        **common: see :class:`Metric`.

    Raises:
        ValueError: a threshold is out of range.
    """

    names = ("tp",)


class FalsePositives(_Count):
    """Σ w of the other targets whose output is above the threshold, as :class:`TruePositives`."""

    names = ("fp",)


class TrueNegatives(_Count):
    """Σ w of the other targets whose output is not above it, as :class:`TruePositives`."""

    names = ("tn",)


class FalseNegatives(_Count):
    """Σ w of the positive targets whose output is not above it, as :class:`TruePositives`."""

    names = ("fn",)


class _BestAt(_Counted):
    """Base class: the largest rate over all thresholds at which another one is large enough."""

    names = ("tp", "fp", "tn", "fn")
    best: ClassVar[tuple[str, str]]
    """The rate that is maximised: x / (x + y) of these counts."""
    constrained: ClassVar[tuple[str, str]]
    """The rate that must be at least the given value."""

    def __init__(
        self, least: float, num_thresholds: int = 200, class_id: int | None = None, **common: Any
    ) -> None:
        super().__init__(**common)
        if not 0 <= least <= 1:
            raise ValueError(f"least: received {least}, accepted: 0 to 1")
        if num_thresholds < 1:
            raise ValueError(f"num_thresholds: received {num_thresholds}, accepted: 1 or more")
        self.least, self.class_id = least, class_id
        last = num_thresholds - 1
        self.thresholds = [i * 1.0 / last for i in range(num_thresholds)] if last else [0.5]

    def compute(self) -> Tensor:
        """Scalar, from 0 to 1; 0 if no threshold is good enough."""
        best, constrained = self._rate(self.best), self._rate(self.constrained)
        return torch.where(constrained >= self.least, best, 0.0).amax()

    def _rate(self, names: tuple[str, str]) -> Tensor:
        first, second = map(self.count, names)
        return divided(first, first + second)


SENSITIVITY, SPECIFICITY, PRECISION = ("tp", "fn"), ("tn", "fp"), ("tp", "fp")


class SensitivityAtSpecificity(_BestAt):
    """The largest TP / (TP + FN) at thresholds where TN / (TN + FP) is at least a value.

    Args:
        least: the value, from 0 to 1.
        num_thresholds: n, for thresholds 0, 1/(n − 1), …, 1; for n = 1 it is ½.
        class_id: count only this entry of the last axis.
        **common: see :class:`Metric`.

    Raises:
        ValueError: a value is out of range.
    """

    best, constrained = SENSITIVITY, SPECIFICITY


class SpecificityAtSensitivity(_BestAt):
    """The largest TN / (TN + FP) where TP / (TP + FN) is at least a value; arguments as above."""

    best, constrained = SPECIFICITY, SENSITIVITY


class PrecisionAtRecall(_BestAt):
    """The largest TP / (TP + FP) where TP / (TP + FN) is at least a value; arguments as above."""

    best, constrained = PRECISION, SENSITIVITY


class RecallAtPrecision(_BestAt):
    """The largest TP / (TP + FN) where TP / (TP + FP) is at least a value; arguments as above."""

    best, constrained = SENSITIVITY, PRECISION
