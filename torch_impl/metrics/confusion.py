"""The confusion matrix: number of examples by true and predicted class."""

from __future__ import annotations

import torch
from torch import Tensor

from torch_impl.metrics.base import Metric, same_rank


def confusion_matrix(
    outputs: Tensor,
    target: Tensor,
    num_classes: int | None = None,
    sample_weight: Tensor | None = None,
    dtype: torch.dtype = torch.int32,
) -> Tensor:
    """Matrix (classes, classes): row i, column j: examples of class i predicted as class j.

    As ``tf.math.confusion_matrix``, where the labels come first. Weights are cast to ``dtype``; the
    default truncates them to integers, as in TensorFlow.

    Args:
        outputs: predicted class numbers, (N,).
        target: true class numbers, (N,).
        num_classes: number of classes; None for the largest class number plus one.
        sample_weight: (N,); None for 1.
        dtype: dtype of weights and result.

    Raises:
        ValueError: shapes do not fit, or a class number is out of range. (The check copies
            them from the device.)
    """
    outputs, target = same_rank(outputs.long(), target.long())
    if outputs.ndim != 1:
        raise ValueError(f"outputs: received shape {tuple(outputs.shape)}, accepted: (N,)")
    if sample_weight is not None and sample_weight.shape != outputs.shape:
        raise ValueError(
            f"sample_weight: received shape {tuple(sample_weight.shape)}, accepted: "
            f"{tuple(outputs.shape)}"
        )
    both = torch.stack([target, outputs])
    largest = int(both.max()) if both.numel() else -1
    if num_classes is None:
        num_classes = largest + 1
    if both.numel() and (largest >= num_classes or int(both.min()) < 0):
        raise ValueError(
            f"classes: received numbers from {int(both.min())} to {largest}, accepted: 0 to "
            f"{num_classes - 1}"
        )
    ones = torch.ones_like(outputs, dtype=dtype)
    values = ones if sample_weight is None else sample_weight.to(dtype)
    flat = torch.zeros(num_classes**2, dtype=dtype, device=outputs.device)
    flat.index_add_(0, target * num_classes + outputs, values)
    return flat.reshape(num_classes, num_classes)


class ConfusionMatrix(Metric):
    """:func:`confusion_matrix` of all batches.

    Args:
        num_classes: how many classes there are.
        dtype: of weights and counts; None: PyTorch's default dtype.
        flavour: both Kerases count alike.

    Raises:
        ValueError: ``num_classes`` is less than 1.
    """

    def __init__(
        self, num_classes: int, *, dtype: torch.dtype | None = None, flavour: str = "tf_keras"
    ) -> None:
        super().__init__(dtype=dtype, flavour=flavour)
        if num_classes < 1:
            raise ValueError(f"num_classes: received {num_classes}, accepted: 1 or more")
        self.num_classes = num_classes

    @torch.no_grad()
    def update(
        self, outputs: Tensor, target: Tensor, sample_weight: Tensor | float | None = None
    ) -> None:
        """See :meth:`Metric.update`; class numbers (N,), weights (N,) or one number."""
        if isinstance(sample_weight, float | int):
            sample_weight = torch.full(outputs.shape, sample_weight, device=outputs.device)
        found = confusion_matrix(outputs, target, self.num_classes, sample_weight, self.dtype)
        self.add("matrix", found)

    def compute(self) -> Tensor:
        """(classes, classes): rows are true classes, columns predicted ones."""
        return self.so_far("matrix", (self.num_classes, self.num_classes))
