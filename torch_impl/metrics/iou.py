"""Intersection over union, for segmentation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from torch_impl.metrics.base import Metric, divided
from torch_impl.metrics.thresholds import EPSILON


class IoU(Metric):
    """Mean over some classes of TP / (TP + FP + FN), without classes that never occur.

    Keras 3 adds 1e-7 to both denominators, computes the result in float32, and counts in integers
    unless ``dtype`` is given, so that **weights below 1 count as 0**. Entries with a class number
    out of range are ignored, as in Keras 3; Keras 2 raises an error.
    Source: ``…/metrics/iou_metrics.py`` of either Keras.

    Args:
        num_classes: how many classes there are.
        target_class_ids: the classes of the mean.
        ignore_class: a class whose entries are ignored in the targets.
        sparse_y_true: targets are class numbers; otherwise the class is that of the largest entry.
        sparse_y_pred: the same for outputs.
        axis: axis of the classes if there is one.
        dtype: of weights and counts; None for PyTorch's default, and for integers in Keras 3.
        flavour: see :class:`Metric`.

    Raises:
        ValueError: a class of the mean is out of range, or shapes do not fit.
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
        *,
        dtype: torch.dtype | None = None,
        flavour: str = "tf_keras",
    ) -> None:
        super().__init__(dtype=dtype, flavour=flavour)
        if dtype is None and flavour == "keras3":
            self.dtype = torch.int64
        if not target_class_ids or max(target_class_ids) >= num_classes:
            raise ValueError(
                f"target_class_ids: received {list(target_class_ids)}, accepted: at least one, "
                f"below {num_classes}"
            )
        self.num_classes, self.target_class_ids = num_classes, list(target_class_ids)
        self.ignore_class, self.axis = ignore_class, axis
        self.sparse_y_true, self.sparse_y_pred = sparse_y_true, sparse_y_pred

    @torch.no_grad()
    def update(
        self, outputs: Tensor, target: Tensor, sample_weight: Tensor | float | None = None
    ) -> None:
        """See :meth:`Metric.update`; one class number per entry, of any shape, or the class axis.

        Weights are one number, or one for each entry.
        """
        found = outputs if self.sparse_y_pred else self._largest(outputs)
        true = target if self.sparse_y_true else self._largest(target)
        found, true = found.to(self.dtype).flatten().long(), true.to(self.dtype).flatten().long()
        weight = torch.as_tensor(
            1 if sample_weight is None else sample_weight, device=true.device
        ).to(self.dtype)
        weight = weight.flatten() if weight.ndim else weight.expand(true.shape)
        if not found.shape == true.shape == weight.shape:
            raise ValueError(
                f"outputs, target, weights: received {found.numel()}, {true.numel()} and "
                f"{weight.numel()} entries, accepted: equal numbers"
            )
        known = (true >= 0) & (true < self.num_classes)
        known &= (found >= 0) & (found < self.num_classes)
        if self.ignore_class is not None:
            known &= true != self.ignore_class
        places = torch.where(known, true * self.num_classes + found, 0)
        counts = torch.zeros(self.num_classes**2, dtype=self.dtype, device=true.device)
        counts.index_add_(0, places, torch.where(known, weight, 0))
        self.add("matrix", counts.reshape(self.num_classes, self.num_classes))

    def compute(self) -> Tensor:
        """Scalar, from 0 to 1; 0 before the first batch."""
        matrix = self.so_far("matrix", (self.num_classes, self.num_classes))
        both = matrix.diagonal()[self.target_class_ids]
        either = (matrix.sum(0) + matrix.sum(1))[self.target_class_ids] - both
        if self.flavour == "tf_keras":
            occurs = (either != 0).sum().to(self.dtype)
            return divided(divided(both, either).sum(), occurs)
        both, either = both.float(), either.float()
        shares = torch.where(either > 1e-9, both / (either + EPSILON), 0.0)
        return shares.sum() / ((either > 1e-9).sum() + EPSILON)

    def _largest(self, scores: Tensor) -> Tensor:
        if scores.is_floating_point():  # Keras's argmax ignores NaN
            scores = scores.masked_fill(scores.isnan(), -torch.inf)
        return scores.argmax(self.axis)


class BinaryIoU(IoU):
    """:class:`IoU` of classes 0 and 1, where an output is 1 if it is at least the threshold.

    Args:
        target_class_ids: see :class:`IoU`.
        threshold: compared in float32 in Keras 3; Keras 2 compares in ``dtype``.
        **common: see :class:`Metric`.
    """

    def __init__(
        self, target_class_ids: Sequence[int] = (0, 1), threshold: float = 0.5, **common: Any
    ) -> None:
        super().__init__(2, target_class_ids, **common)
        self.threshold = threshold

    def update(
        self, outputs: Tensor, target: Tensor, sample_weight: Tensor | float | None = None
    ) -> None:
        """See :meth:`IoU.update`; outputs are probabilities or logits."""
        scores = outputs.to(torch.float32 if self.flavour == "keras3" else self.dtype)
        super().update(scores >= self.threshold, target, sample_weight)


class MeanIoU(IoU):
    """:class:`IoU` of all classes; arguments as there."""

    def __init__(self, num_classes: int, ignore_class: int | None = None, **common: Any) -> None:
        super().__init__(num_classes, range(num_classes), ignore_class, **common)


class OneHotIoU(IoU):
    """:class:`IoU` of one-hot targets and of outputs with a class axis; arguments as there."""

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
        **common: Any,
    ) -> None:
        classes = num_classes, target_class_ids, ignore_class
        super().__init__(*classes, False, sparse_y_pred, axis, **common)


class OneHotMeanIoU(OneHotIoU):
    """:class:`OneHotIoU` of all classes; arguments as there."""

    def __init__(self, num_classes: int, ignore_class: int | None = None, **common: Any) -> None:
        super().__init__(num_classes, range(num_classes), ignore_class, **common)
