"""Canonical names and layouts of PyTorch tensors.

==============  ====================================  ===========================
layer           canonical (Keras)                     PyTorch
==============  ====================================  ===========================
dense           kernel (in, out)                      weight (out, in)
convolution     kernel (h, w, in, out)                weight (out, in, h, w)
batch norm      gamma, beta, moving_mean,             weight, bias, running_mean,
                moving_variance                       running_var
layer norm      gamma, beta                           weight, bias
embedding       embeddings (tokens, width)            weight (tokens, width)
simple, lstm    kernel, recurrent_kernel              weight_ih, weight_hh: transposed, same gates
                bias (gates·units,)                   bias_ih; bias_hh is zero and frozen
gru             gates z, r, h                         gates r, z, n
                bias (2, 3·units), reset_after        bias_ih, bias_hh
                bias (3·units,), reset before         bias_ih
==============  ====================================  ===========================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from torch_impl.parts.layers import Recurrent, ResetBeforeGRU


@dataclass(frozen=True)
class Place:
    """The PyTorch tensors of a canonical tensor, and the conversion in both directions.

    ``to_canonical`` takes the tensors, ``from_canonical`` returns as many; both only reorder
    values. They apply to weights, gradients and optimizer slots.
    """

    tensors: tuple[Tensor, ...]
    to_canonical: Callable[..., Tensor]
    from_canonical: Callable[[Tensor], tuple[Tensor, ...]]


def by_canonical_name(model: nn.Module) -> dict[str, Place]:
    """Every parameter and buffer by canonical name, in the order of the model's modules."""
    found: dict[str, Place] = {}
    for path, module in model.named_modules():
        for name, place in _of_module(module).items():
            found[f"{canonical_name(path)}/{name}"] = place
    return found


def canonical_name(path: str) -> str:
    """Canonical name of a module; lists are numbered from 1: ``conv.0`` → ``conv_1``."""
    name, _, index = path.partition(".")
    return f"{name}_{int(index) + 1}" if index.isdigit() else path


def _of_module(module: nn.Module) -> dict[str, Place]:
    if isinstance(module, nn.Linear):
        return {"kernel": transposed(module.weight), "bias": same(module.bias)}
    if isinstance(module, nn.Conv2d):
        kernel = Place(
            (module.weight,),
            lambda weight: weight.permute(2, 3, 1, 0),
            lambda kernel: (kernel.permute(3, 2, 0, 1),),
        )
        return {"kernel": kernel, "bias": same(module.bias)}
    if isinstance(module, nn.BatchNorm2d):
        return {
            "gamma": same(module.weight),
            "beta": same(module.bias),
            "moving_mean": same(module.running_mean),
            "moving_variance": same(module.running_var),
        }
    if isinstance(module, nn.LayerNorm):
        return {"gamma": same(module.weight), "beta": same(module.bias)}
    if isinstance(module, nn.Embedding):
        return {"embeddings": same(module.weight)}
    if isinstance(module, Recurrent):
        return of_recurrent(module.rnn)
    return {}


def of_recurrent(rnn: nn.Module) -> dict[str, Place]:
    """Places of a one-layer ``nn.RNN``, ``nn.LSTM``, ``nn.GRU`` or :class:`ResetBeforeGRU`."""
    gru = isinstance(rnn, (nn.GRU, ResetBeforeGRU))
    runs = {"": "_l0"}
    if hasattr(rnn, "weight_ih_l0_reverse"):
        runs = {"forward/": "_l0", "backward/": "_l0_reverse"}
    found = {}
    for prefix, suffix in runs.items():
        weights = {
            "kernel": getattr(rnn, f"weight_ih{suffix}"),
            "recurrent_kernel": getattr(rnn, f"weight_hh{suffix}"),
        }
        for name, weight in weights.items():
            found[prefix + name] = gru_kernel(weight) if gru else transposed(weight)
        bias = getattr(rnn, f"bias_ih{suffix}")
        if isinstance(rnn, nn.GRU):
            found[f"{prefix}bias"] = gru_biases(bias, getattr(rnn, f"bias_hh{suffix}"))
        else:
            found[f"{prefix}bias"] = _gru_bias(bias) if gru else same(bias)
    return found


def same(tensor: Tensor) -> Place:
    """A tensor with the same layout in both."""
    return Place((tensor,), lambda value: value, lambda value: (value,))


def transposed(tensor: Tensor) -> Place:
    """(out, in) to (in, out)."""
    return Place((tensor,), lambda value: value.T, lambda value: (value.T,))


def _swapped(value: Tensor) -> Tensor:
    """Exchange the first two of three gates along the last axis: z, r, h ↔ r, z, n."""
    first, second, third = value.chunk(3, -1)
    return torch.cat((second, first, third), -1)


def gru_kernel(weight: Tensor) -> Place:
    """(3·units, in) with gates r, z, n to (in, 3·units) with z, r, h."""
    return Place((weight,), lambda w: _swapped(w.T), lambda kernel: (_swapped(kernel).T,))


def _gru_bias(bias: Tensor) -> Place:
    return Place((bias,), _swapped, lambda value: (_swapped(value),))


def gru_biases(into: Tensor, recurrent: Tensor) -> Place:
    """Two biases with gates r, z, n to (2, 3·units) with z, r, h."""
    return Place(
        (into, recurrent),
        lambda a, b: torch.stack((_swapped(a), _swapped(b))),
        lambda value: (_swapped(value[0]), _swapped(value[1])),
    )
