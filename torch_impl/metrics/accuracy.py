"""Accuracies: the share of correct predictions, with optional sample weights."""

from __future__ import annotations

import torch
from torch import Tensor

from parity.constants import as_float32
from torch_impl.metrics.base import same_rank
from torch_impl.metrics.mean import MeanOfValues


class Accuracy(MeanOfValues):
    """Share of outputs that equal the target.

    Both have any shape and are compared in ``dtype`` (Keras 3: in the outputs' dtype).
    """

    def values(self, outputs: Tensor, target: Tensor) -> Tensor:
        """See :meth:`MeanOfValues.values`."""
        outputs, target = same_rank(outputs, target)
        if self.flavour == "tf_keras":
            return outputs.to(self.dtype) == target.to(self.dtype)
        return outputs == target.to(outputs.dtype)


class BinaryAccuracy(MeanOfValues):
    """Share of outputs on the target's side of the threshold: 1 if **strictly** above it, else 0.

    The default of 0.5 is also used for models that return logits, for which 0 would be correct.
    Keras rounds it to float32; Keras 2 also rounds the outputs to ``dtype``.

    Args:
        threshold: the largest output that counts as 0.
        **common: see :class:`Metric`.
    """

    def __init__(
        self,
        threshold: float = 0.5,
        *,
        dtype: torch.dtype | None = None,
        flavour: str = "tf_keras",
    ) -> None:
        super().__init__(dtype=dtype, flavour=flavour)
        self.threshold = as_float32(threshold)

    def values(self, outputs: Tensor, target: Tensor) -> Tensor:
        """See :meth:`MeanOfValues.values`; outputs and targets (0 or 1) of equal shapes."""
        outputs, target = same_rank(outputs, target)
        if self.flavour == "tf_keras":
            outputs = outputs.to(self.dtype)
        return (outputs > self.threshold).to(target.dtype) == target


class SparseCategoricalAccuracy(MeanOfValues):
    """Share of examples whose largest output is that of the target class.

    Outputs (N, …, classes), probabilities or logits; targets (N, …) or (N, …, 1), class numbers.
    Of several largest outputs the first counts. NaN is never the largest, unlike in
    ``torch.argmax``. In Keras 3 −0.0 is less than 0.0.
    """

    def values(self, outputs: Tensor, target: Tensor) -> Tensor:
        """See :meth:`MeanOfValues.values`."""
        return self._largest(outputs) == _class_numbers(outputs, target)

    def _largest(self, scores: Tensor) -> Tensor:
        """Class of the largest score along the last axis."""
        if not scores.is_floating_point():
            return scores.argmax(-1)
        if self.flavour == "tf_keras":
            scores = scores.to(self.dtype)
        else:
            negative_zero = (scores == 0) & torch.signbit(scores)
            scores = scores.masked_fill(negative_zero, -torch.finfo(scores.dtype).tiny)
        return scores.masked_fill(scores.isnan(), -torch.inf).argmax(-1)


class CategoricalAccuracy(SparseCategoricalAccuracy):
    """As the base class, for one-hot targets: the class is that of the largest entry."""

    def values(self, outputs: Tensor, target: Tensor) -> Tensor:
        """See :meth:`MeanOfValues.values`."""
        return self._largest(outputs) == self._largest(_one_hot(outputs, target))


class SparseTopKCategoricalAccuracy(MeanOfValues):
    """Share of examples where fewer than k outputs are strictly greater than the target class's.

    So every tie counts as correct; a sort, or ``torch.topk``, decides ties by position. A row with
    a NaN or an infinity, or with a class number out of range, counts as wrong. Outputs are compared
    in float32, the only dtype of TensorFlow's kernel: Keras raises an error for float64. Shapes as
    in :class:`SparseCategoricalAccuracy`.

    Args:
        k: number of largest outputs that count as correct, 1 or more.
        **common: see :class:`Metric`.

    Raises:
        ValueError: k is less than 1.
    """

    def __init__(
        self, k: int = 5, *, dtype: torch.dtype | None = None, flavour: str = "tf_keras"
    ) -> None:
        super().__init__(dtype=dtype, flavour=flavour)
        if k < 1:
            raise ValueError(f"k: received {k}, accepted: 1 or more")
        self.k = k

    def values(self, outputs: Tensor, target: Tensor) -> Tensor:
        """See :meth:`MeanOfValues.values`."""
        return self._hits(outputs, _class_numbers(outputs, target))

    def _hits(self, outputs: Tensor, classes: Tensor) -> Tensor:
        scores = outputs.to(torch.float32)
        known = (classes >= 0) & (classes < scores.shape[-1])
        own = scores.gather(-1, torch.where(known, classes, 0).unsqueeze(-1))
        greater = (scores > own).sum(-1)
        return known & scores.isfinite().all(-1) & (greater < self.k)


class TopKCategoricalAccuracy(SparseTopKCategoricalAccuracy):
    """As the base class, for one-hot targets: the class is that of the first largest entry."""

    def values(self, outputs: Tensor, target: Tensor) -> Tensor:
        """See :meth:`MeanOfValues.values`."""
        return self._hits(outputs, _one_hot(outputs, target).argmax(-1))


def _class_numbers(outputs: Tensor, target: Tensor) -> Tensor:
    """Targets as int64 (N, …), one per row of outputs."""
    if target.ndim == outputs.ndim and target.shape[-1] == 1:
        target = target.squeeze(-1)
    if target.shape != outputs.shape[:-1]:
        raise ValueError(
            f"target: received shape {tuple(target.shape)}, accepted: "
            f"{tuple(outputs.shape[:-1])}, class numbers"
        )
    return target.long()


def _one_hot(outputs: Tensor, target: Tensor) -> Tensor:
    """The targets, unchanged; they must have the outputs' shape."""
    if target.shape != outputs.shape:
        raise ValueError(
            f"target: received shape {tuple(target.shape)}, accepted: that of the outputs, "
            f"{tuple(outputs.shape)}"
        )
    return target
