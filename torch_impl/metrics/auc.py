"""Area under the ROC curve or the precision-recall curve."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from torch_impl.metrics.base import Metric, divided
from torch_impl.metrics.thresholds import EPSILON, are_even, counted

CURVES = ("ROC", "PR", "PR_GAIN")
SUMMATIONS = ("interpolation", "minoring", "majoring")


class AUC(Metric):
    """Area under a curve, computed at a fixed number of thresholds.

    Thresholds are −1e-7, 1/(n − 1), …, (n − 2)/(n − 1), 1 + 1e-7; with n = 200 the area differs
    from the exact one, by 0.08 or more if outputs are closer together than the thresholds.
    ``interpolation`` is the trapezoidal rule, but for PR it interpolates the counts (Davis and
    Goadrich, 2006). Memory grows only with the number of thresholds, unless the given ones are
    uneven.
    Source: ``…/metrics/confusion_metrics.py`` of either Keras.

    Args:
        num_thresholds: n, 2 or more.
        curve: ``ROC``, ``PR`` or ``PR_GAIN``.
        summation: ``interpolation``, or ``minoring``/``majoring``: the smaller or larger height.
        thresholds: the inner thresholds, from 0 to 1, instead of n.
        multi_label: for outputs (N, labels), the mean of the labels' areas instead of one area.
        label_weights: weight of each label, (labels,): of its area with ``multi_label``, otherwise
            of its entries.
        from_logits: apply a sigmoid to the outputs first.
        **common: see :class:`Metric`.

    Raises:
        ValueError: a value is not accepted, or shapes do not fit.
    """

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation: str = "interpolation",
        *,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        label_weights: Sequence[float] | None = None,
        from_logits: bool = False,
        dtype: torch.dtype | None = None,
        flavour: str = "tf_keras",
    ) -> None:
        super().__init__(dtype=dtype, flavour=flavour)
        if num_thresholds < 2:
            raise ValueError(f"num_thresholds: received {num_thresholds}, accepted: 2 or more")
        if curve not in CURVES:
            raise ValueError(f"curve: received {curve!r}, accepted: {', '.join(CURVES)}")
        if summation not in SUMMATIONS:
            accepted = ", ".join(SUMMATIONS)
            raise ValueError(f"summation: received {summation!r}, accepted: {accepted}")
        if thresholds is not None and not all(0 <= limit <= 1 for limit in thresholds):
            raise ValueError(f"thresholds: received {thresholds}, accepted: numbers from 0 to 1")
        if label_weights is not None and not all(weight >= 0 for weight in label_weights):
            raise ValueError(f"label_weights: received {label_weights}, accepted: 0 or more")
        between = [(i + 1) * 1.0 / (num_thresholds - 1) for i in range(num_thresholds - 2)]
        self.even = True
        if thresholds is not None:
            between = sorted(thresholds)
            self.even = are_even([0.0, *between, 1.0])
        self.thresholds = [-EPSILON, *between, 1.0 + EPSILON]
        self.curve, self.summation = curve, summation
        self.multi_label, self.from_logits = multi_label, from_logits
        self.label_weights = label_weights

    @torch.no_grad()
    def update(
        self, outputs: Tensor, target: Tensor, sample_weight: Tensor | float | None = None
    ) -> None:
        """See :meth:`Metric.update`; outputs and targets of equal shapes."""
        if self.multi_label and outputs.ndim != 2:
            raise ValueError(
                f"outputs: received shape {tuple(outputs.shape)}, accepted: (N, labels)"
            )
        weights = self._label_weights(outputs.device)
        if weights is not None and weights.shape != outputs.shape[-1:]:
            raise ValueError(
                f"label_weights: received {len(weights)} for outputs of shape "
                f"{tuple(outputs.shape)}, accepted: {outputs.shape[-1]}"
            )
        counts = counted(
            torch.sigmoid(outputs) if self.from_logits else outputs,
            target,
            self.thresholds,
            dtype=self.dtype,
            even=self.even,
            sample_weight=sample_weight,
            by_label=self.multi_label,
            label_weight=None if self.multi_label else weights,
        )
        for name in ("tp", "fp", "tn", "fn"):
            self.add(name, getattr(counts, name))

    def compute(self) -> Tensor:
        """Scalar, from 0 to 1; 0 before the first batch."""
        shape = (len(self.thresholds),)
        tp, fp, tn, fn = (self.so_far(name, shape) for name in ("tp", "fp", "tn", "fn"))
        if self.curve == "PR" and self.summation == "interpolation":
            areas = _interpolated(tp, fp, fn)
        else:
            x, y = self._curve(tp, fp, tn, fn)
            heights = {
                "interpolation": lambda: (y[:-1] + y[1:]) / 2.0,
                "minoring": lambda: torch.minimum(y[:-1], y[1:]),
                "majoring": lambda: torch.maximum(y[:-1], y[1:]),
            }[self.summation]()
            areas = (x[:-1] - x[1:]) * heights
        area = areas.sum(0)
        if not self.multi_label or not self.state:
            return area
        weights = self._label_weights(area.device)
        if weights is None:
            return area.mean()
        return divided((area * weights).sum(), weights.sum())

    def _label_weights(self, device: torch.device) -> Tensor | None:
        if self.label_weights is None:
            return None
        return torch.tensor(self.label_weights, dtype=self.dtype, device=device)

    def _curve(self, tp: Tensor, fp: Tensor, tn: Tensor, fn: Tensor) -> tuple[Tensor, Tensor]:
        """Coordinates x and y at every threshold."""
        recall = divided(tp, tp + fn)
        if self.curve == "ROC":
            return divided(fp, fp + tn), recall
        if self.curve == "PR":
            return recall, divided(tp, tp + fp)
        odds = divided(tp + fn, fp + tn)
        recall_gain = (1.0 - odds * divided(fn, tp)).masked_fill(tp == 0, 0.0)
        precision_gain = (1.0 - odds * divided(fp, tp)).masked_fill(tp == 0, 1.0)
        return recall_gain.clamp(min=0.0), precision_gain


def _interpolated(tp: Tensor, fp: Tensor, fn: Tensor) -> Tensor:
    """Area under the precision-recall curve between consecutive thresholds."""
    true = tp[:-1] - tp[1:]
    called = tp + fp
    slope = divided(true, (called[:-1] - called[1:]).clamp(min=0))
    intercept = tp[1:] - slope * called[1:]
    ratio = torch.where(
        (called[:-1] > 0) & (called[1:] > 0),
        divided(called[:-1], called[1:].clamp(min=0)),
        torch.ones_like(slope),
    )
    return divided(slope * (true + intercept * ratio.log()), (tp[1:] + fn[1:]).clamp(min=0))
