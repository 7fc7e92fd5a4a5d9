"""Cross-entropies of class numbers, of distributions over classes, and of binary targets."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from parity.reference.losses.formulas import LOG_EPSILON, PROBABILITY_EPSILON
from torch_impl.nn.class_weights import ClassificationLoss, ClassWeight


class SparseCategoricalCrossentropy(ClassificationLoss):
    """ℓ = −log softmax(x)_y of logits x, for class numbers y.

    For probabilities p: −log(q_y / Σq), q = p clipped to [1e-7, 1 − 1e-7]; the gradient is zero
    where p was clipped. If Keras's outputs come from its own softmax layer, it silently uses the
    logits instead; for such a model pass the logits here, with ``from_logits=True``.

    PyTorch's ``cross_entropy`` gives the same for logits, but has the classes on axis 1 and
    silently ignores the label −100.
    Source: ``tf_keras/src/backend.py``, ``keras/src/backend/tensorflow/nn.py``.

    Args:
        from_logits: outputs are logits, not probabilities.
        ignore_class: label whose losses are 0; a mean excludes them.
        axis: axis of the classes in the outputs: −1 as in Keras, 1 for PyTorch's (N, C, …).
        class_weight: see :class:`ClassificationLoss`. Every label gets its class's weight. (For
            labels (N, T), Keras's ``fit`` uses the index of the largest label as the class.)
        common: see :class:`KerasLoss`.

    Shapes: outputs (N, …, C); target int64 (N, …) or (N, …, 1).
    """

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
        class_weight: ClassWeight | None = None,
        **common: Any,
    ) -> None:
        super().__init__(class_weight, **common)
        self.from_logits = from_logits
        self.ignore_class = ignore_class
        self.axis = axis

    def matched(self, outputs: Tensor, target: Tensor, weighted: bool) -> tuple[Tensor, Tensor]:
        """Outputs with the classes on the last axis, and class numbers in the losses' shape."""
        received = tuple(target.shape), tuple(outputs.shape)
        target, _ = self.classes(outputs, target)
        outputs = outputs.movedim(self.axis, -1)
        if target.shape != outputs.shape[:-1]:
            raise ValueError(
                f"target: received shape {received[0]} with outputs {received[1]}, accepted: "
                f"{tuple(outputs.shape[:-1])}"
            )
        return outputs, target

    def classes(self, outputs: Tensor, target: Tensor) -> tuple[Tensor, int]:
        """The labels; an axis of size 1 is removed."""
        if target.ndim == outputs.ndim and target.shape[self.axis] == 1:
            target = target.squeeze(self.axis)
        return target.long(), int(outputs.shape[self.axis])

    def valid(self, target: Tensor) -> Tensor | None:
        """See :meth:`KerasLoss.valid`."""
        return None if self.ignore_class is None else target != self.ignore_class

    def losses(self, outputs: Tensor, target: Tensor) -> Tensor:
        """See :meth:`KerasLoss.losses`."""
        valid = self.valid(target)
        if valid is not None:
            # ignored entries may be NaN, and 0·NaN is NaN
            outputs = torch.where(valid.unsqueeze(-1), outputs, 0.0)
            target = torch.where(valid, target, 0)
        if not self.from_logits:
            outputs = clipped(outputs).log()
        losses = -outputs.log_softmax(-1).gather(-1, target.unsqueeze(-1)).squeeze(-1)
        return losses if valid is None else torch.where(valid, losses, 0.0)


class _SmoothedLoss(ClassificationLoss):
    """Base class of the losses with label smoothing."""

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        class_weight: ClassWeight | None = None,
        **common: Any,
    ) -> None:
        super().__init__(class_weight, **common)
        self.from_logits = from_logits
        self.label_smoothing = _share(label_smoothing)
        self.axis = axis


class CategoricalCrossentropy(_SmoothedLoss):
    """ℓ = −Σ t·log softmax(x) of logits x, for distributions t over classes (also one-hot).

    For probabilities p: −Σ t·log q, q = p / Σp clipped to [1e-7, 1 − 1e-7] and not renormalised
    (the sparse loss clips first, then renormalises). For models that end in a softmax see
    :class:`SparseCategoricalCrossentropy`.

    PyTorch's ``cross_entropy`` gives the same for logits if Σt = 1. Otherwise the gradient is
    softmax(x) − t in TensorFlow and here, but softmax(x)·Σt − t in PyTorch.
    Source: ``tf_keras/src/backend.py``, ``keras/src/backend/tensorflow/nn.py``.

    Args:
        from_logits: outputs are logits, not probabilities.
        label_smoothing: s from 0 to 1: t becomes t·(1 − s) + s / C. With ``axis`` other than −1,
            Keras 3 uses the size of the last axis as the number C of classes.
        axis: axis of the classes: −1 as in Keras, 1 for PyTorch's (N, C, …).
        class_weight: see :class:`ClassificationLoss`; an example's class is the largest entry of
            t.
        common: see :class:`KerasLoss`.

    Shapes: outputs and target (N, …, C).
    """

    def matched(self, outputs: Tensor, target: Tensor, weighted: bool) -> tuple[Tensor, Tensor]:
        """Both unchanged; they must have the same shape."""
        return outputs, _same_shape(outputs, target)

    def classes(self, outputs: Tensor, target: Tensor) -> tuple[Tensor, int]:
        """The index of the largest entry of each distribution."""
        return target.argmax(self.axis), int(target.shape[self.axis])

    def smoothed(self, target: Tensor, axis: int) -> Tensor:
        """Distributions after label smoothing over as many classes as the axis has."""
        if not self.label_smoothing:
            return target
        return target * (1.0 - self.label_smoothing) + self.label_smoothing / target.shape[axis]

    def losses(self, outputs: Tensor, target: Tensor) -> Tensor:
        """See :meth:`KerasLoss.losses`."""
        target = self.smoothed(target, self.axis if self.flavour == "tf_keras" else -1)
        if self.from_logits:
            found: Tensor = _SoftmaxCrossEntropy.apply(outputs, target, self.axis)
            return found
        shares = outputs / outputs.sum(self.axis, keepdim=True)
        return -(target * clipped(shares).log()).sum(self.axis)


class BinaryCrossentropy(_SmoothedLoss):
    """ℓ = max(x, 0) − x·t + log(1 + exp(−|x|)) of logits x, mean over the last axis.

    For probabilities p: −t·log(q + ε) − (1 − t)·log(1 − q + ε), q = p clipped to
    [1e-7, 1 − 1e-7]; ε is 1e-7 in Keras 2 and 0 in Keras 3. For models that end in a sigmoid see
    :class:`SparseCategoricalCrossentropy`.

    PyTorch's ``binary_cross_entropy`` limits its logarithms to −100 instead. Keras 2 broadcasts
    probabilities and targets of different shapes; here, as for logits, that is an error.
    Source: ``tf_keras/src/backend.py``, ``keras/src/backend/tensorflow/nn.py``.

    Args:
        from_logits: outputs are logits, not probabilities.
        label_smoothing: s from 0 to 1: t becomes t·(1 − s) + s / 2.
        axis: axis of the mean.
        class_weight: see :class:`ClassificationLoss`; the weights of 0 and of 1. If the last axis
            of the target is longer than 1, Keras uses the index of its largest entry as the class.
        common: see :class:`KerasLoss`.

    Shapes: outputs and target (N, …, D).
    """

    def matched(self, outputs: Tensor, target: Tensor, weighted: bool) -> tuple[Tensor, Tensor]:
        """Outputs and target with equal ranks; they must have the same shape."""
        outputs, target = super().matched(outputs, target, weighted)
        return outputs, _same_shape(outputs, target)

    def losses(self, outputs: Tensor, target: Tensor) -> Tensor:
        """See :meth:`KerasLoss.losses`."""
        if self.label_smoothing:
            target = target * (1.0 - self.label_smoothing) + 0.5 * self.label_smoothing
        return self.entries(outputs, target).mean(self.axis)

    def entries(self, outputs: Tensor, target: Tensor) -> Tensor:
        """The losses of all entries (N, …, D), for targets after label smoothing."""
        if self.from_logits:
            # TensorFlow's terms: with them the gradient at 0 is ½, which |x| would not give
            positive = outputs >= 0
            softplus = torch.where(positive, -outputs, outputs).exp().log1p()
            return torch.where(positive, outputs, 0.0) - outputs * target + softplus
        epsilon = LOG_EPSILON[self.flavour]
        p = clipped(outputs)
        return -(target * (p + epsilon).log() + (1.0 - target) * (1.0 - p + epsilon).log())


class _SoftmaxCrossEntropy(torch.autograd.Function):
    """−Σ t·log softmax(x), with TensorFlow's gradient softmax(x) − t."""

    generate_vmap_rule = True

    @staticmethod
    def forward(logits: Tensor, target: Tensor, axis: int) -> Tensor:
        return -(target * logits.log_softmax(axis)).sum(axis)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, int], output: Tensor) -> None:
        logits, target, ctx.axis = inputs
        ctx.save_for_backward(logits, target)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        logits, target = ctx.saved_tensors
        gradient = gradient.unsqueeze(ctx.axis)
        to_target = None
        if ctx.needs_input_grad[1]:
            to_target = -gradient * logits.log_softmax(ctx.axis)
        return gradient * (logits.softmax(ctx.axis) - target), to_target, None


def clipped(probabilities: Tensor) -> Tensor:
    """Probabilities within [1e-7, 1 − 1e-7]; the gradient is zero where they were clipped."""
    return probabilities.clamp(PROBABILITY_EPSILON, 1.0 - PROBABILITY_EPSILON)


def _same_shape(outputs: Tensor, target: Tensor) -> Tensor:
    """The target in the outputs' dtype; it must have their shape."""
    if target.shape != outputs.shape:
        raise ValueError(
            f"target: received shape {tuple(target.shape)}, accepted: the outputs', "
            f"{tuple(outputs.shape)}"
        )
    return target.to(outputs.dtype)


def _share(label_smoothing: float) -> float:
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing: received {label_smoothing}, accepted: 0 to 1")
    return label_smoothing
