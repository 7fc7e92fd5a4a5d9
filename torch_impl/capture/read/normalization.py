"""Readers of batch, layer and group normalization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from parity.reference.layers import batch_norm, layer_norm
from torch_impl.capture.read.layout import Layout
from torch_impl.capture.read.registry import (
    Config,
    Function,
    Layouts,
    Places,
    function,
    holding,
    parameter_function,
    reader,
)
from torch_impl.ladder.weights import Place, same

Found = tuple[nn.Module, Tensor]


def _batch_norm_weights(module: Any, layouts: Sequence[Layout]) -> Places:
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    own = (module.weight, module.bias, module.running_mean, module.running_var)
    flat = layouts[0] if len(layouts[0].merged) == 2 else None
    return {name: along(one, flat) for name, one in zip(names, own, strict=True)}


@reader(nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, weights=_batch_norm_weights, spatial=True)
def _batch_norm(module: Any) -> Config:
    if module.track_running_stats and module.momentum is None:
        return None
    return batch_norm.BatchNorm(
        axis=-1,
        momentum=1.0 - (module.momentum or 0.0),
        epsilon=module.eps,
        center=module.bias is not None,
        scale=module.weight is not None,
        track_running_stats=module.running_mean is not None,
    )


@reader(
    *(nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d),
    weights=_batch_norm_weights,
    spatial=True,
    shaped=True,
)
def _instance_norm(module: Any, shape: Sequence[int]) -> Config:
    """A group for each channel."""
    return layer_norm.GroupNorm(
        groups=shape[1],
        epsilon=module.eps,
        center=module.bias is not None,
        scale=module.weight is not None,
        track_running_stats=module.running_mean is not None,
    )


def _layer_norm_weights(module: nn.LayerNorm, layouts: Sequence[Layout]) -> Places:
    return {"gamma": along(module.weight, layouts[0]), "beta": along(module.bias, layouts[0])}


@reader(
    nn.LayerNorm,
    weights=_layer_norm_weights,
    along_last=lambda module: len(module.normalized_shape) == 1,
)
def _layer_norm(module: Any) -> Config:
    axes = tuple(range(-len(module.normalized_shape), 0))
    return layer_norm.LayerNorm(
        axis=axes,
        epsilon=module.eps,
        center=module.bias is not None,
        scale=module.weight is not None,
    )


@reader(
    nn.GroupNorm,
    weights=lambda module, _: {"gamma": same(module.weight), "beta": same(module.bias)},
    spatial=True,
)
def _group_norm(module: Any) -> Config:
    return layer_norm.GroupNorm(
        groups=module.num_groups,
        epsilon=module.eps,
        center=module.bias is not None,
        scale=module.weight is not None,
    )


@parameter_function("layer_norm")
def _layer_norm_function(
    input: Tensor,
    normalized_shape: Any,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Found:
    module = nn.LayerNorm(tuple(normalized_shape), eps, device="meta")
    return holding(module, weight=weight, bias=bias), input


@parameter_function("group_norm")
def _group_norm_function(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Found:
    module = nn.GroupNorm(num_groups, input.shape[1], eps, device="meta")
    return holding(module, weight=weight, bias=bias), input


@parameter_function("instance_norm")
def _instance_norm_function(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Found:
    kind = {3: nn.InstanceNorm1d, 4: nn.InstanceNorm2d, 5: nn.InstanceNorm3d}[input.ndim]
    module = kind(input.shape[1], eps, momentum, device="meta")
    given = {"running_mean": running_mean, "running_var": running_var}
    return holding(module, weight=weight, bias=bias, **given), input


@function("instance_norm")
def _instance_norm_of_input(
    layouts: Layouts,
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Function | None:
    """Instance normalization without weights."""
    statistics = running_mean is not None or not use_input_stats
    return None if statistics else _of_input(input, input.shape[1], weight, bias, eps)


@function("group_norm")
def _group_norm_of_input(
    layouts: Layouts,
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Function | None:
    """Group normalization without weights."""
    return _of_input(input, num_groups, weight, bias, eps)


def _of_input(
    input: Tensor, groups: int, weight: Tensor | None, bias: Tensor | None, eps: float
) -> Function | None:
    if weight is not None or bias is not None:
        return None
    config = layer_norm.GroupNorm(groups=groups, epsilon=eps, center=False, scale=False)
    return Function(config, (input,), spatial=True)


@parameter_function("batch_norm")
def _batch_norm_function(
    input: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Found:
    kind = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}
    module = kind[input.ndim](input.shape[1], eps, momentum, device="meta").train(training)
    given = {"running_mean": running_mean, "running_var": running_var}
    return holding(module, weight=weight, bias=bias, **given), input


def along(tensor: Tensor | None, layout: Layout | None) -> Place:
    """A weight of the shape of the input's last axes, in the canonical order of these axes."""
    if tensor is None or layout is None or tensor.ndim > len(layout.merged):
        return same(tensor)
    merged = layout.merged[-tensor.ndim :]
    count = sum(merged)
    own = layout.axes[-count:]
    there = Layout(tuple(map(sorted(own).index, own)), layout.sizes[-count:], merged)
    if there.canonical or there.shape != tuple(tensor.shape):
        return same(tensor)
    return Place((tensor,), there.to_canonical, lambda value: (there.from_canonical(value),))
