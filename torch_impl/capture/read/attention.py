"""Reader of multi-head attention, and its mask."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn

from parity.reference.layers import attention
from torch_impl.capture.read.registry import Config, reader
from torch_impl.ladder.weights import Place


def _places(module: nn.MultiheadAttention, _: Any) -> dict[str, Place]:
    """Canonical name to place; kernels (in, heads, dim), that of the output (heads, dim, in)."""
    heads, size, width = module.num_heads, module.head_dim, module.embed_dim
    found = {}
    for number, name in enumerate(("query", "key", "value")):
        own = getattr(module, f"{name[0]}_proj_weight")
        weight, rows = (module.in_proj_weight, number) if own is None else (own, 0)
        found[f"{name}/kernel"] = _rows(weight, rows, width, (heads, size))
        if module.in_proj_bias is not None:
            found[f"{name}/bias"] = _rows(module.in_proj_bias, number, width, (heads, size))
    out = module.out_proj
    found["attention_output/kernel"] = Place(
        (out.weight,),
        lambda value: value.T.reshape(heads, size, width),
        lambda kernel: (kernel.reshape(heads * size, width).T,),
    )
    if out.bias is not None:
        found["attention_output/bias"] = Place((out.bias,), lambda one: one, lambda one: (one,))
    return found


def _rows(weight: Tensor, number: int, width: int, sizes: tuple[int, int]) -> Place:
    """One of several blocks of rows (heads·dim, in), or of their biases, as (in, heads, dim)."""
    rows = slice(number * width, (number + 1) * width)

    def back(value: Tensor) -> tuple[Tensor]:
        found = weight.detach().clone()
        found[rows] = (
            value.reshape(*value.shape[:-2], width).T if value.ndim == 3 else (value.reshape(width))
        )
        return (found,)

    return Place(
        (weight,),
        lambda value: (value[rows].T if value.ndim == 2 else value[rows]).reshape(
            *value.shape[1:], *sizes
        ),
        back,
    )


@reader(nn.MultiheadAttention, weights=_places)
def _attention(module: nn.MultiheadAttention) -> Config:
    """None for options that Keras's layer does not have."""
    if module.bias_k is not None or module.add_zero_attn:
        return None
    return attention.MultiHeadAttention(
        num_heads=module.num_heads,
        key_dim=module.head_dim,
        value_dim=module.head_dim,
        use_bias=module.in_proj_bias is not None,
    )


def arguments(
    module: nn.MultiheadAttention, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Tensor, ...], dict[str, Any]]:
    """The inputs (query, value, key where that is another), and the mask as Keras has it."""
    given = inspect.signature(type(module).forward).bind(module, *args, **kwargs).arguments
    query, key, value = (given[name] for name in ("query", "key", "value"))
    inputs = (query, value) if key is value else (query, value, key)
    steps = 1 if module.batch_first else 0
    count, size, places = query.shape[1 - steps], query.shape[steps], key.shape[steps]
    mask = torch.ones(count, size, places, dtype=torch.bool)
    bias = torch.zeros(())
    if given.get("attn_mask") is not None:
        own = given["attn_mask"]
        if own.ndim == 3:  # (N·heads, T, S)
            heads = own.reshape(count, -1, size, places)
            same = bool((heads == heads[:, :1]).all())
            own, mask = (heads[:, 0], mask) if same else (heads, mask[:, None])
        mask, bias = mask & _allowed(own), _bias(own)
    if given.get("key_padding_mask") is not None:
        own = given["key_padding_mask"][:, None]
        own = own[:, None] if mask.ndim == 4 else own
        mask = mask & _allowed(own)
    options = {} if mask.all() else {"attention_mask": mask.numpy()}
    if bias.any():
        options["attention_bias"] = torch.broadcast_to(bias, mask.shape).numpy()
    return inputs, options


LOWEST = -1e4
"""Numbers added to the scores that mean that a query may not attend are below this one."""


def _allowed(mask: Tensor) -> Tensor:
    """True where a query may attend: PyTorch masks where it may not, or adds −∞, or nearly."""
    return ~mask if mask.dtype == torch.bool else mask > LOWEST


def _bias(mask: Tensor) -> Tensor:
    """What is added to the scores where a query may attend."""
    if mask.dtype == torch.bool:
        return torch.zeros(())
    return torch.where(_allowed(mask), mask, 0.0).detach()
