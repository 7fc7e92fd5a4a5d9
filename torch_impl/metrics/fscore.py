"""F scores, by class or averaged over classes."""

from __future__ import annotations

import torch
from torch import Tensor

from parity.constants import as_float32
from torch_impl.metrics.base import Metric, divided
from torch_impl.metrics.thresholds import EPSILON

AVERAGES = (None, "micro", "macro", "weighted")


class FBetaScore(Metric):
    """(1 + β²)·P·R / (β²·P + R) of precision P and recall R.

    Keras 2 returns 0 instead of dividing by zero; Keras 3 adds 1e-7 to every denominator, so a
    perfect score is at most 1 − 2e-7. Without a threshold the largest output of a row is positive
    (all of them in a tie), unless it is within 1e-9 of 0. Targets are used as factors, not
    compared. Keras 2 rounds β² to float32, and therefore fails in float64.
    Source: ``…/metrics/f_score_metrics.py`` of either Keras.

    Args:
        average: None for one score per class; ``micro``: from the total counts; ``macro``: mean
            over classes; ``weighted``: mean weighted by the frequency of each class.
        beta: β, above 0: the weight of recall relative to precision.
        threshold: above 0 to 1; outputs strictly above it are positive; None for the largest of a
            row.
        **common: see :class:`Metric`.

    Raises:
        ValueError: a value is out of range, or outputs are not (N, classes).
    """

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        *,
        dtype: torch.dtype | None = None,
        flavour: str = "tf_keras",
    ) -> None:
        super().__init__(dtype=dtype, flavour=flavour)
        if average not in AVERAGES:
            raise ValueError(f"average: received {average!r}, accepted: {AVERAGES}")
        if not beta > 0:
            raise ValueError(f"beta: received {beta}, accepted: above 0")
        if threshold is not None and not 0 < threshold <= 1:
            raise ValueError(f"threshold: received {threshold}, accepted: above 0 to 1, or None")
        self.average = average
        self.threshold = threshold
        self.beta_squared = beta**2
        if flavour == "tf_keras":
            self.beta_squared = as_float32(as_float32(beta) ** 2)

    @torch.no_grad()
    def update(
        self, outputs: Tensor, target: Tensor, sample_weight: Tensor | float | None = None
    ) -> None:
        """See :meth:`Metric.update`; outputs and targets (N, classes), weights (N,)."""
        if outputs.ndim != 2 or outputs.shape != target.shape:
            raise ValueError(
                f"outputs and target: received shapes {tuple(outputs.shape)} and "
                f"{tuple(target.shape)}, accepted: one shape (N, classes)"
            )
        target, scores = target.to(self.dtype), outputs.to(self.dtype)
        if self.threshold is None:
            largest = scores.amax(-1, keepdim=True)
            positive = ((scores >= largest) & (scores.abs() > 1e-9)).to(self.dtype)
        else:
            positive = (scores > self.threshold).to(self.dtype)
        weight = torch.ones((), dtype=self.dtype, device=scores.device)
        if sample_weight is not None:
            weight = torch.as_tensor(sample_weight, dtype=self.dtype, device=scores.device)
            if weight.shape != scores.shape[:1]:
                raise ValueError(
                    f"sample_weight: received shape {tuple(weight.shape)}, accepted: "
                    f"({len(scores)},)"
                )
            weight = weight[:, None]
        parts = {
            "tp": positive * target,
            "fp": positive * (1 - target),
            "fn": (1 - positive) * target,
            "occurs": target,
        }
        for name, part in parts.items():
            weighted = part * weight
            self.add(name, weighted.sum() if self.average == "micro" else weighted.sum(0))

    def compute(self) -> Tensor:
        """A scalar, or (classes,) without average.

        Raises:
            ValueError: there was no batch yet, so the number of classes is unknown.
        """
        if not self.state:
            raise ValueError("compute: received no batch, accepted: one or more")
        tp, fp, fn, occurs = (self.state[name] for name in ("tp", "fp", "fn", "occurs"))
        precision, recall = self._over(tp, tp + fp), self._over(tp, tp + fn)
        mean = self._over(precision * recall, self.beta_squared * precision + recall)
        scores = mean * (1 + self.beta_squared)
        if self.average == "weighted":
            return (scores * self._over(occurs, occurs.sum())).sum()
        return scores if self.average is None else scores.mean()

    def _over(self, numerator: Tensor, denominator: Tensor) -> Tensor:
        if self.flavour == "tf_keras":
            return divided(numerator, denominator)
        return numerator / (denominator + EPSILON)


class F1Score(FBetaScore):
    """2·P·R / (P + R): :class:`FBetaScore` with β = 1."""

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        *,
        dtype: torch.dtype | None = None,
        flavour: str = "tf_keras",
    ) -> None:
        super().__init__(average, 1.0, threshold, dtype=dtype, flavour=flavour)
