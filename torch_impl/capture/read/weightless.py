"""Readers of dropout, flattening and merging, as modules and as functions."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from parity.reference.layers import dropout, merging, reshaping
from parity.reference.layers.windowed import pooling
from torch_impl.capture.read.layout import Layout
from torch_impl.capture.read.registry import (
    Config,
    Function,
    FunctionReader,
    Layouts,
    axis_of,
    function,
    kwargs_dim,
    reader,
)
from torch_impl.capture.read.space_functions import global_pool

DROPOUTS: dict[type[nn.Module], tuple[type[dropout.Dropout], str, bool]] = {
    nn.Dropout: (dropout.Dropout, "dropout", False),
    nn.AlphaDropout: (dropout.AlphaDropout, "alpha_dropout", False),
    nn.Dropout1d: (dropout.SpatialDropout1D, "dropout1d", True),
    nn.Dropout2d: (dropout.SpatialDropout2D, "dropout2d", True),
    nn.Dropout3d: (dropout.SpatialDropout3D, "dropout3d", True),
    nn.FeatureAlphaDropout: (dropout.SpatialAlphaDropout, "feature_alpha_dropout", True),
}
"""Module to its configuration, its function, and whether whole channels are dropped."""


def _dropout_module(kind: type[dropout.Dropout]) -> Any:
    return lambda module: kind(rate=module.p)


def _dropout(kind: type[dropout.Dropout], spatial: bool = False) -> FunctionReader:
    def read(_: Any, x: Tensor, p: float = 0.5, *others: Any, **__: Any) -> Function:
        return Function(kind(rate=p), (x,), spatial)

    return read


for _module, (_kind, _name, _spatial) in DROPOUTS.items():
    reader(_module, spatial=_spatial)(_dropout_module(_kind))
    function(_name)(_dropout(_kind, _spatial))


@reader(nn.Flatten)
def _flatten(module: nn.Flatten) -> Config:
    return reshaping.Flatten() if module.start_dim == 1 else None


def _merge(config: Any) -> FunctionReader:
    def read(_: Any, a: Any, b: Any, **kwargs: Any) -> Function | None:
        tensors = isinstance(a, Tensor) and isinstance(b, Tensor) and a.ndim == b.ndim > 1
        usual = kwargs.get("alpha", 1) == 1
        return Function(config, (a, b)) if tensors and usual else None

    return read


def _either(config: Any, reduction: FunctionReader | None = None) -> FunctionReader:
    """Of two tensors, or else along axes of one."""
    of_two = _merge(config)

    def read(layouts: Layouts, x: Tensor, *args: Any, **kwargs: Any) -> Function | None:
        if isinstance(kwargs.get("other", next(iter(args), None)), Tensor):
            return of_two(layouts, x, *args, **kwargs)
        return reduction(layouts, x, *args, **kwargs) if reduction else None

    return read


function("add", "add_", "__add__", "__iadd__", "__radd__")(_merge(merging.Add()))
function("mul", "mul_", "__mul__", "__imul__", "__rmul__")(_merge(merging.Multiply()))
function("sub", "sub_", "__sub__", "__isub__")(_merge(merging.Subtract()))
function("maximum")(_merge(merging.Maximum()))
function("minimum")(_merge(merging.Minimum()))
function("max")(_either(merging.Maximum(), global_pool(pooling.GlobalMaxPooling)))
function("min")(_either(merging.Minimum()))


@function("hstack")
def _hstack(layouts: Layouts, tensors: Any) -> Function | None:
    return _cat(layouts, tensors, 1) if tensors[0].ndim > 1 else None


@function("cat", "concat", "concatenate")
def _cat(layouts: Layouts, tensors: Any, dim: int = 0, **_: Any) -> Function | None:
    axis = axis_of(layouts[0] or Layout.plain(tensors[0].shape), kwargs_dim(dim, _))
    return None if axis is None else Function(merging.Concatenate(axis=axis), tuple(tensors))
