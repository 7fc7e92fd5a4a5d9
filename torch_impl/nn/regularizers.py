"""Keras's penalties on weights and on layer outputs, which are added to the loss."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from parity.constants import FLAVOURS, as_float32


class L1L2:
    """λ₁·Σ|x| + λ₂·Σx², a scalar in x's dtype. Without ½: the gradient of L2 is 2λ₂·x.

    PyTorch's ``weight_decay`` adds λ·x to the gradient, so with plain SGD L2(λ) equals
    ``weight_decay=2λ``; for other optimizers PyTorch has no equivalent. Keras 3 rounds λ to
    float32, Keras 2 to ``floatx``.
    Source: ``tf_keras/src/regularizers.py``, ``keras/src/regularizers/regularizers.py``.

    Args:
        l1: λ₁.
        l2: λ₂.
        flavour: ``tf_keras`` (Keras 2) or ``keras3``.

    Raises:
        ValueError: a factor is not finite, or is negative (which Keras 2 accepts).
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0, *, flavour: str = "tf_keras") -> None:
        if flavour not in FLAVOURS:
            raise ValueError(f"flavour: received {flavour!r}, accepted: {', '.join(FLAVOURS)}")
        for name, value in {"l1": l1, "l2": l2}.items():
            if not 0 <= value < math.inf:
                raise ValueError(f"{name}: received {value}, accepted: 0 or more, finite")
        self.flavour = flavour
        self.l1, self.l2 = l1, l2
        if flavour == "keras3":
            self.l1, self.l2 = as_float32(l1), as_float32(l2)

    def __call__(self, x: Tensor) -> Tensor:
        """The penalty on x (of any shape), a scalar."""
        penalty = x.new_zeros(())
        if self.l1:
            penalty = penalty + self.l1 * x.abs().sum()
        if self.l2:
            penalty = penalty + self.l2 * x.square().sum()
        return penalty


class L1(L1L2):
    """λ·Σ|x|; the gradient at 0 is 0. See :class:`L1L2`."""

    def __init__(self, l1: float = 0.01, *, flavour: str = "tf_keras") -> None:
        super().__init__(l1=l1, flavour=flavour)


class L2(L1L2):
    """λ·Σx². See :class:`L1L2`."""

    def __init__(self, l2: float = 0.01, *, flavour: str = "tf_keras") -> None:
        super().__init__(l2=l2, flavour=flavour)


class Penalties:
    """The sum of a model's penalties, for a training loop.

    ::

        penalties = Penalties(model, {"0.weight": L2(0.01)}, activity={"0": L1(0.1)})
        loss = loss_of(model(x), y) + penalties()

    A penalty on a layer's output is divided by the batch size, one on a weight is not. Calling the
    model discards earlier outputs, so call this once after each forward pass, in training or
    evaluation mode. A layer that is called twice counts twice. A frozen weight (``requires_grad``
    is false) counts in Keras 2, but not in Keras 3. ``parity.check`` adds to the loss what a module
    holds as an attribute, such as ``model.penalties``.
    Source: ``tf_keras/src/engine/base_layer.py`` (``_handle_activity_regularization``),
    ``keras/src/layers/layer.py``.

    Args:
        model: the model that is called in the loop.
        weights: name of a parameter, as in ``named_parameters``, to its penalty. PyTorch's
            recurrent layers have two biases instead of one: name the trained one.
        activity: name of a module, as in ``named_modules``, to the penalty on its output, one
            tensor whose first axis is the batch.

    Raises:
        ValueError: the model has no parameter or module with that name.
    """

    def __init__(
        self,
        model: nn.Module,
        weights: Mapping[str, L1L2] | None = None,
        *,
        activity: Mapping[str, L1L2] | None = None,
    ) -> None:
        parameters, modules = dict(model.named_parameters()), dict(model.named_modules())
        weights, activity = weights or {}, activity or {}
        for kind, names, known in (
            ("weights", weights, parameters),
            ("activity", activity, modules),
        ):
            for name in names:
                if name not in known:
                    raise ValueError(f"{kind}: received {name!r}, accepted: {', '.join(known)}")
        self._weights = [(parameters[name], penalty) for name, penalty in weights.items()]
        self._seen: list[Tensor] = []
        model.register_forward_pre_hook(self._forget)
        for name, penalty in activity.items():
            modules[name].register_forward_hook(partial(self._see, name, penalty))

    def __call__(self) -> Tensor:
        """The sum, a scalar, for the current weights and the last forward pass."""
        of_weights = [
            penalty(weight)
            for weight, penalty in self._weights
            if weight.requires_grad or penalty.flavour == "tf_keras"
        ]
        terms = [*self._seen, *of_weights]
        return torch.stack(terms).sum() if terms else torch.zeros(())

    def _forget(self, module: nn.Module, inputs: Any) -> None:
        self._seen = []

    def _see(self, name: str, penalty: L1L2, module: nn.Module, inputs: Any, outputs: Any) -> None:
        if not isinstance(outputs, Tensor):
            raise ValueError(
                f"activity of {name}: received {type(outputs).__name__}, accepted: a module that "
                "returns one tensor"
            )
        # Keras: 0 for an empty batch, and no division for a scalar
        size = len(outputs) if outputs.ndim else 1
        self._seen.append(penalty(outputs) / size if size else outputs.new_zeros(()))
