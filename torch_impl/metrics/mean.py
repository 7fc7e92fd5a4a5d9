"""Base class of the metrics that are a weighted mean of values."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from torch_impl.metrics.base import Metric, divided


class MeanOfValues(Metric):
    """Σ w·v / Σ w of values v over all batches; 0 before the first one.

    If the values have more axes than the weights (one match per time step), Keras 2 counts each
    one and Keras 3 first computes their mean per example. **A single number as weight** counts as
    N·w in Keras 2; in Keras 3 the whole batch counts as one value of weight w, so a short last
    batch counts as much as a full one.
    Source: ``tf_keras/src/metrics/base_metric.py`` (``Reduce``),
    ``keras/src/metrics/reduction_metrics.py``.
    """

    @abstractmethod
    def values(self, outputs: Tensor, target: Tensor) -> Tensor:
        """One value per example, (N, …), or more."""

    @torch.no_grad()
    def update(
        self, outputs: Tensor, target: Tensor, sample_weight: Tensor | float | None = None
    ) -> None:
        """See :meth:`Metric.update`."""
        values = self.values(outputs, target).to(self.dtype)
        weight = None
        if sample_weight is not None:
            weight = torch.as_tensor(sample_weight, dtype=self.dtype, device=values.device)
        reduce = self._one_by_one if self.flavour == "tf_keras" else self._example_by_example
        try:
            values, weight = reduce(values, weight)
        except RuntimeError:  # the shapes do not broadcast
            raise ValueError(
                f"sample_weight: received shape {tuple(torch.as_tensor(sample_weight).shape)}, "
                f"accepted: what broadcasts to {tuple(values.shape)}"
            ) from None
        self.add("total", values.sum())
        if weight is not None:
            self.add("count", weight.sum())
        else:
            each = self.flavour == "tf_keras" or not values.ndim
            count = values.numel() if each else len(values)
            self.add("count", torch.tensor(count, device=values.device))

    def compute(self) -> Tensor:
        """The mean, a scalar."""
        return divided(self.so_far("total"), self.so_far("count"))

    @staticmethod
    def _one_by_one(values: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Keras 2: weighted values and their weights."""
        if weight is None:
            return values, None
        if weight.ndim == values.ndim + 1:
            weight = weight.squeeze(-1)
        elif 0 < weight.ndim == values.ndim - 1:
            weight = weight.unsqueeze(-1)
        if 0 < weight.ndim < values.ndim:
            values = values.mean(tuple(range(weight.ndim, values.ndim)))
        weight = weight.expand_as(values)
        return values * weight, weight

    @staticmethod
    def _example_by_example(values: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Keras 3: one weighted value per example and its weight."""
        if weight is not None:
            if weight.ndim == values.ndim + 1 and weight.shape[-1] == 1:
                weight = weight.squeeze(-1)
            elif weight.ndim == values.ndim - 1 and values.shape[-1] == 1:
                values = values.squeeze(-1)
            if values.ndim > weight.ndim:
                values = values.mean(tuple(range(weight.ndim, values.ndim)))
            weight = weight.expand_as(values)
            values = values * weight
            if weight.ndim > 1:
                weight = weight.mean(tuple(range(1, weight.ndim)))
        if values.ndim > 1:
            values = values.mean(tuple(range(1, values.ndim)))
        return values, weight
