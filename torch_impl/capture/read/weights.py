"""Where a module's parameters and buffers are, by canonical name, whatever model it stands in."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from torch_impl.capture.read import attention
from torch_impl.capture.read.functional_modules import Product
from torch_impl.capture.read.layout import Layout
from torch_impl.ladder.weights import Place, gru_biases, gru_kernel, of_recurrent, same, transposed
from torch_impl.parts.layers import ResetBeforeGRU


def of_module(module: nn.Module, layouts: Sequence[Layout]) -> dict[str, Place]:
    """Canonical name to place; a bias that is not there is left out.

    Args:
        module: of any kind; one that is not known has its own names and shapes.
        layouts: of its inputs: a map flattened channels first meets other rows of a dense kernel
            than one flattened channels last.
    """
    found: dict[str, Place]
    if isinstance(module, Product):
        found = {"kernel": same(module.kernel), "bias": same(module.bias)}
    elif isinstance(module, nn.Linear):
        found = {"kernel": _dense(module.weight, layouts[0]), "bias": same(module.bias)}
    elif isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Conv3d)):
        depthwise = module.groups == module.in_channels > 1
        name = "depthwise_kernel" if depthwise else "kernel"
        weight = module.weight
        kernel = _depthwise(weight, module.in_channels) if depthwise else _convolution(weight)
        found = {name: kernel, "bias": same(module.bias)}
    elif isinstance(module, (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)):
        found = {"kernel": _convolution(module.weight), "bias": same(module.bias)}
    elif isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)):
        names = ("gamma", "beta", "moving_mean", "moving_variance")
        own = (module.weight, module.bias, module.running_mean, module.running_var)
        flat = layouts[0] if len(layouts[0].merged) == 2 else None
        found = {name: _along(one, flat) for name, one in zip(names, own, strict=True)}
    elif isinstance(module, nn.LayerNorm):
        found = {"gamma": _along(module.weight, layouts[0])}
        found["beta"] = _along(module.bias, layouts[0])
    elif isinstance(module, nn.GroupNorm):
        found = {"gamma": same(module.weight), "beta": same(module.bias)}
    elif isinstance(module, nn.PReLU):
        found = {"alpha": _slopes(module.weight, len(layouts[0].merged))}
    elif isinstance(module, nn.MultiheadAttention):
        found = attention.places(module)
    elif isinstance(module, ResetBeforeGRU):
        found = of_recurrent(module)
    elif isinstance(module, nn.Embedding):
        found = {"embeddings": same(module.weight)}
    elif isinstance(module, (nn.RNN, nn.LSTM, nn.GRU)) and module.num_layers == 1:
        found = _recurrent(module)
    else:
        found = {name: same(one) for name, one in _own(module).items()}
    return {name: place for name, place in found.items() if place.tensors[0] is not None}


def untrained(model: nn.Module) -> dict[str, Any]:
    """Copies of what a call may move, by the module's own names: all but trained parameters."""
    named = model.named_parameters(remove_duplicate=False)
    trained = {name for name, one in named if one.requires_grad}
    state = model.state_dict().items()
    return copy.deepcopy({name: value for name, value in state if name not in trained})


def _recurrent(rnn: nn.RNNBase) -> dict[str, Place]:
    """Keras's names; of two biases the sum is Keras's one, but a GRU's stay two."""
    gru = isinstance(rnn, nn.GRU)
    runs = {"forward/": "_l0", "backward/": "_l0_reverse"} if rnn.bidirectional else {"": "_l0"}
    found = {}
    for prefix, suffix in runs.items():
        for name, own in (("kernel", "weight_ih"), ("recurrent_kernel", "weight_hh")):
            found[prefix + name] = (gru_kernel if gru else transposed)(getattr(rnn, own + suffix))
        if rnn.bias:
            biases = getattr(rnn, f"bias_ih{suffix}"), getattr(rnn, f"bias_hh{suffix}")
            found[f"{prefix}bias"] = gru_biases(*biases) if gru else _summed(*biases)
    return found


def _summed(into: Tensor, recurrent: Tensor) -> Place:
    return Place(
        (into, recurrent), lambda a, b: a + b, lambda value: (value, torch.zeros_like(value))
    )


def _along(tensor: Tensor | None, layout: Layout | None) -> Place:
    """Of the shape of the last axes, in the canonical order of what stands there."""
    if tensor is None or layout is None or tensor.ndim > len(layout.merged):
        return same(tensor)
    merged = layout.merged[-tensor.ndim :]
    count = sum(merged)
    own = layout.axes[-count:]
    there = Layout(tuple(map(sorted(own).index, own)), layout.sizes[-count:], merged)
    if there.canonical or there.shape != tuple(tensor.shape):
        return same(tensor)
    return Place((tensor,), there.to_canonical, lambda value: (there.from_canonical(value),))


def _slopes(weight: Tensor, rank: int) -> Place:
    """One for all entries, or for each channel, of an input of so many axes."""
    shape = (1,) * (rank - 2) + (-1,)
    return Place((weight,), lambda value: value.reshape(shape), lambda value: (value.flatten(),))


def _own(module: nn.Module) -> dict[str, Tensor]:
    named = (*module.named_parameters(), *module.named_buffers())
    return {name: tensor for name, tensor in named if tensor.is_floating_point()}


def _dense(weight: Tensor, layout: Layout) -> Place:
    """(out, in) to (in, out), the rows in the canonical order of what was flattened."""
    merged = layout.merged[-1]
    rows = Layout((0, *layout.axes[-merged:]), (len(weight), *layout.sizes[-merged:]), (1, merged))
    if merged == 1 or rows.shape != tuple(weight.shape):
        return transposed(weight)
    return Place(
        (weight,),
        lambda value: rows.to_canonical(value).T,
        lambda kernel: (rows.from_canonical(kernel.T.contiguous()),),
    )


def _convolution(weight: Tensor) -> Place:
    """(out, in, *sizes) to (*sizes, in, out); of a transposed one likewise, in and out swapped."""
    rank = weight.ndim - 2
    there = (*range(2, 2 + rank), 1, 0)
    back = (1 + rank, rank, *range(rank))
    return Place(
        (weight,), lambda value: value.permute(there), lambda kernel: (kernel.permute(back),)
    )


def _depthwise(weight: Tensor, channels: int) -> Place:
    """(in·m, 1, *sizes) to (*sizes, in, m)."""
    rank = weight.ndim - 2
    apart = (channels, weight.shape[0] // channels, *weight.shape[2:])
    there, back = (*range(2, 2 + rank), 0, 1), (rank, rank + 1, *range(rank))
    return Place(
        (weight,),
        lambda value: value.reshape(apart).permute(there),
        lambda kernel: (kernel.permute(back).reshape(weight.shape),),
    )
