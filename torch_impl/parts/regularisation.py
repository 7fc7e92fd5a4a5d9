"""Penalties and constraints of a spec, applied to the built model.

Twin: ``keras_impl/parts/regularisation.py``. Deliberate differences: there they are
options of each layer, here they are applied to the built model.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.optim import Optimizer

from parity.constants import as_float32
from parity.specs.base import ModelSpec
from torch_impl.nn import L1L2, MaxNorm, NonNeg, Penalties, constrain
from torch_impl.nn.constraints import Constraint


def penalties(
    spec: ModelSpec, model: nn.Module, tensors: Mapping[str, tuple[Tensor, ...]]
) -> Penalties | None:
    """Penalties on kernels, biases and the outputs of dense layers and convolutions, or None.

    Args:
        spec: the model.
        model: the network.
        tensors: its parameters by canonical name; two biases that are one in Keras both count.
    """
    kernel, bias, activity = (
        L1L2(as_float32(l1), as_float32(l2), flavour=spec.flavour) if l1 or l2 else None
        for l1, l2 in (
            (spec.l1, spec.l2),
            (spec.bias_l1, spec.bias_l2),
            (spec.activity_l1, spec.activity_l2),
        )
    )
    weights = {name: kernel for name in _named("kernel", model, tensors) if kernel}
    weights |= {name: bias for name in _named("bias", model, tensors) if bias}
    layers = {
        path: activity
        for path, module in model.named_modules()
        if activity and isinstance(module, nn.Linear | nn.Conv2d)
    }
    return Penalties(model, weights, activity=layers) if weights or layers else None


def constrained(
    spec: ModelSpec,
    optimizer: Optimizer,
    model: nn.Module,
    tensors: Mapping[str, tuple[Tensor, ...]],
) -> None:
    """Apply the spec's constraint, if any, to every kernel after each optimizer step.

    The norm is over all of Keras's axes except the last, the units.
    """
    if spec.non_negative or spec.max_norm:
        rules = {
            name: _constraint(spec, tuple(range(weight.ndim - 1)))
            for name, weight in _named("kernel", model, tensors).items()
        }
        constrain(optimizer, model, rules)


def _constraint(spec: ModelSpec, axis: tuple[int, ...]) -> Constraint:
    if spec.non_negative:
        return NonNeg(spec.flavour)
    return MaxNorm(as_float32(spec.max_norm), axis)


def _named(
    kind: str, model: nn.Module, tensors: Mapping[str, tuple[Tensor, ...]]
) -> dict[str, Tensor]:
    """Every parameter that is a layer's ``kernel`` or ``bias``, by its PyTorch name."""
    own = {id(tensor): name for name, tensor in model.named_parameters()}
    return {
        own[id(tensor)]: tensor
        for name, several in tensors.items()
        if name.endswith(f"/{kind}")
        for tensor in several
    }
