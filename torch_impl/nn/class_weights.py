"""Base class of losses with class weights, as in Keras's ``fit(class_weight=…)``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

import torch
from torch import Tensor

from parity.constants import as_float32
from torch_impl.nn.reduction import KerasLoss

ClassWeight = Mapping[int, float] | Sequence[float]
"""Class number to weight, or a weight for each class from 0."""


class ClassificationLoss(KerasLoss):
    """A loss with weights per class in addition to ``sample_weight``: Σ w·w_y·ℓ / N.

    PyTorch's own ``weight`` divides by Σ w_y. Keras 3's ``fit`` does not accept class weights
    together with sample weights; here they are multiplied in both flavours, as in Keras 2.
    Source: ``tf_keras/src/engine/data_adapter.py``,
    ``keras/src/trainers/data_adapters/data_adapter_utils.py``.

    Args:
        class_weight: a weight for each class. Keras 2 rounds them to float32 (Keras 3 only where
            it reads a ``tf.data.Dataset``; here it does not). Classes without a weight get 1 in
            Keras 3 and raise an error in Keras 2.
        common: see :class:`KerasLoss`.

    Raises:
        ValueError: a class number is negative or not an integer, or a weight is missing (Keras 2).
    """

    class_weight: Tensor | None

    def __init__(self, class_weight: ClassWeight | None = None, **common: str) -> None:
        super().__init__(**common)
        table = None if class_weight is None else _table(class_weight, self.flavour)
        self.register_buffer("class_weight", table)

    def classes(self, outputs: Tensor, target: Tensor) -> tuple[Tensor, int]:
        """Class numbers of the examples, int64 (N, …), and the number of classes.

        As in ``fit``: the index of the largest entry along the last axis, or its only entry.
        """
        if target.ndim > 1 and target.shape[-1] > 1:
            return target.argmax(-1), int(target.shape[-1])
        if target.ndim > 1:
            target = target.squeeze(-1)
        return (target.round() if target.is_floating_point() else target).long(), 2

    def weights(
        self, outputs: Tensor, target: Tensor, sample_weight: Tensor | None
    ) -> Tensor | None:
        """See :meth:`KerasLoss.weights`."""
        if self.class_weight is None:
            return sample_weight
        classes, count = self.classes(outputs, target)
        given = len(self.class_weight) - 1
        if self.flavour == "tf_keras" and given < count:
            raise ValueError(
                f"class_weight: received {given} weights for {count} classes, accepted: one for "
                "each (Keras 3 takes 1 for the others)"
            )
        known = (classes >= 0) & (classes < given)
        weight = self.class_weight.to(outputs.dtype)[torch.where(known, classes, given)]
        if sample_weight is None:
            return weight
        sample_weight = sample_weight.to(outputs.dtype)
        if sample_weight.ndim == weight.ndim + 1 and sample_weight.shape[-1] == 1:
            sample_weight = sample_weight.squeeze(-1)
        for _ in range(weight.ndim - sample_weight.ndim):
            sample_weight = sample_weight.unsqueeze(-1)
        return sample_weight * weight


def _table(class_weight: ClassWeight, flavour: str) -> Tensor:
    """The weights by class number, followed by 1 for all other classes."""
    pairs = class_weight.items() if isinstance(class_weight, Mapping) else enumerate(class_weight)
    named: dict[Any, float] = dict(pairs)
    if not named or not all(isinstance(key, Integral) and int(key) >= 0 for key in named):
        raise ValueError(f"class_weight: received {named}, accepted: classes from 0, at least one")
    size = max(named) + 1
    if flavour == "tf_keras" and len(named) < size:
        raise ValueError(
            f"class_weight: received classes {sorted(named)}, accepted: all from 0 (Keras 3 takes "
            "1 for the others)"
        )
    weights = [float(named.get(number, 1.0)) for number in range(size)]
    if flavour == "tf_keras":
        return torch.tensor([*map(as_float32, weights), 1.0], dtype=torch.float32)
    return torch.tensor([*weights, 1.0], dtype=torch.float64)
