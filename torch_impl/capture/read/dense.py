"""Readers of dense layers and embeddings, as modules and as products with a parameter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from parity.reference.layers import dense, embedding
from torch_impl.capture.read.layout import Layout
from torch_impl.capture.read.registry import Config, Places, holding, parameter_function, reader
from torch_impl.ladder.weights import Place, same, transposed
from torch_impl.private_api import base_of

Found = tuple[nn.Module, Tensor] | None


def _kernel(weight: Tensor, layout: Layout) -> Place:
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


def _weights(module: nn.Linear, layouts: Sequence[Layout]) -> Places:
    return {"kernel": _kernel(module.weight, layouts[0]), "bias": same(module.bias)}


@reader(nn.Linear, weights=_weights, along_last=True)
def _dense(module: nn.Linear) -> Config:
    return dense.Dense(units=module.out_features, activation=None, use_bias=module.bias is not None)


class Product(nn.Linear):
    """A product with a kernel (in, out), for which PyTorch has no module."""

    kernel: Tensor


@reader(
    Product,
    weights=lambda module, _: {"kernel": same(module.kernel), "bias": same(module.bias)},
    along_last=True,
)
def _product_config(module: Product) -> Config:
    return _dense(module)


@reader(nn.Embedding, weights=lambda module, _: {"embeddings": same(module.weight)})
def _embedding(module: nn.Embedding) -> Config:
    return embedding.Embedding(
        input_dim=module.num_embeddings, output_dim=module.embedding_dim, mask_zero=False
    )


@parameter_function("embedding")
def _embedding_function(input: Tensor, weight: Tensor, padding_idx: Any = None, **_: Any) -> Found:
    return holding(nn.Embedding(*weight.shape, device="meta"), weight=weight), input


@parameter_function("linear")
def _linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Found:
    out, into = weight.shape
    module = nn.Linear(into, out, device="meta")
    return holding(module, weight=weight, bias=bias), input


@parameter_function("matmul", "mm", "__matmul__")
def _matmul(input: Tensor, other: Tensor) -> Found:
    return _product(input, other) if other.ndim == 2 else None


@parameter_function("addmm")
def _addmm(input: Tensor, mat1: Tensor, mat2: Tensor) -> Found:
    return _product(mat1, mat2, input)


def _product(input: Tensor, kernel: Tensor, bias: Tensor | None = None) -> Found:
    base = base_of(kernel)
    shape, stride = kernel.shape[::-1], kernel.stride()[::-1]
    if base is not None and (base.shape, base.stride()) == (shape, stride):
        return _linear(input, base, bias)
    module = Product(*kernel.shape, device="meta")
    module.kernel = kernel
    return holding(module, weight=None, bias=bias), input
