"""R², the share of the target's variance that a regression explains."""

from __future__ import annotations

import torch
from torch import Tensor

from torch_impl.metrics.base import Metric, same_rank

AGGREGATIONS = (None, "uniform_average", "variance_weighted_average")


class R2Score(Metric):
    """1 − Σw(t − x)² / (Σwt² − (Σwt)²/Σw) per unit, aggregated over units.

    Where that is infinite (the target is constant) it counts as 0. The adjusted score is
    1 − (1 − R²)(n − 1)/(n − p − 1) where n > p + 1; Keras's n is the number of all entries of the
    targets, not of examples. Keras 2 cannot adjust in float64.
    Source: ``…/metrics/regression_metrics.py`` of either Keras.

    Args:
        class_aggregation: None for one score per unit; ``uniform_average``;
            ``variance_weighted_average``: weighted by the units' denominators.
        num_regressors: p, 0 or more; 0 for no adjustment.
        **common: see :class:`Metric`.

    Raises:
        ValueError: a value is not accepted, or shapes are not (N, units).
    """

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        *,
        dtype: torch.dtype | None = None,
        flavour: str = "tf_keras",
    ) -> None:
        super().__init__(dtype=dtype, flavour=flavour)
        if class_aggregation not in AGGREGATIONS:
            raise ValueError(
                f"class_aggregation: received {class_aggregation!r}, accepted: {AGGREGATIONS}"
            )
        if num_regressors < 0:
            raise ValueError(f"num_regressors: received {num_regressors}, accepted: 0 or more")
        self.class_aggregation, self.num_regressors = class_aggregation, num_regressors

    @torch.no_grad()
    def update(
        self, outputs: Tensor, target: Tensor, sample_weight: Tensor | float | None = None
    ) -> None:
        """See :meth:`Metric.update`; outputs and targets (N, units), weights (N,) or alike."""
        x, t = same_rank(outputs.to(self.dtype), target.to(self.dtype))
        if x.ndim != 2:
            raise ValueError(f"outputs: received shape {tuple(x.shape)}, accepted: (N, units)")
        weight = torch.ones((), dtype=self.dtype, device=x.device)
        if sample_weight is not None:
            weight = torch.as_tensor(sample_weight, dtype=self.dtype, device=x.device)
        if weight.ndim == 1:
            weight = weight.unsqueeze(1)
        try:
            weight = weight.expand_as(t)
        except RuntimeError:
            raise ValueError(
                f"sample_weight: received shape {tuple(weight.shape)}, accepted: what broadcasts "
                f"to {tuple(t.shape)}"
            ) from None
        self.add("sum", (t * weight).sum(0))
        self.add("squares", (t * t * weight).sum(0))
        self.add("residuals", ((t - x).square() * weight).sum(0))
        self.add("weight", weight.sum(0))
        self.add("entries", torch.tensor(t.numel(), device=t.device))

    def compute(self) -> Tensor:
        """A scalar, or (units,) without aggregation.

        Raises:
            ValueError: there was no batch yet, so the number of units is unknown.
        """
        if not self.state:
            raise ValueError("compute: received no batch, accepted: one or more")
        total = self.state["squares"] - self.state["sum"].square() / self.state["weight"]
        scores = 1 - self.state["residuals"] / total
        scores = torch.where(scores.isinf(), 0.0, scores)
        if self.class_aggregation == "uniform_average":
            scores = scores.mean()
        elif self.class_aggregation == "variance_weighted_average":
            scores = (total * scores).sum() / total.sum()
        if not self.num_regressors:
            return scores
        n, p = self.state["entries"], self.num_regressors
        return torch.where(n > p + 1, 1 - (1 - scores) * (n - 1) / (n - p - 1), scores)
