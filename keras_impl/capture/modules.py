"""What Keras's layers are in the terms of :mod:`parity.layers`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from parity.layers import (
    activations,
    batch_norm,
    bidirectional,
    conv,
    conv_transpose,
    dense,
    dropout,
    embedding,
    flatten,
    gru,
    layer_norm,
    lstm,
    masking,
    merging,
    padding,
    pooling,
    simple_rnn,
)

Config = Any
"""A dataclass of :mod:`parity.layers`, or None where it has no room for what the layer does."""

WHOLE = (
    "Bidirectional",
    "RNN",
    "SimpleRNN",
    "LSTM",
    "GRU",
    "MultiHeadAttention",
    "TimeDistributed",
)
"""Layers with parts of their own that are looked at as a whole."""

FUSED = ("Dense", "Conv", "Depthwise", "Separable")
"""Beginnings of the classes whose activation counts as a call of its own."""


def kind_of(layer: Any) -> str:
    """Name of the first class of Keras's own among the layer's; empty where there is none."""
    for cls in type(layer).__mro__:
        if cls.__module__.split(".")[0] in ("keras", "tf_keras"):
            return "" if cls.__name__ in ("Layer", "Operation", "Model") else cls.__name__
    return ""


def known(layer: Any) -> bool:
    """Whether the layer is looked at as a whole."""
    return kind_of(layer) in READERS or kind_of(layer) in WHOLE


def config_of(layer: Any, rank: int) -> Config:
    """The layer's configuration; None for kinds that are not known.

    Args:
        layer: a layer.
        rank: axes of its (first) input; axes that are named are counted from the end, a
            concatenation's from the start.
    """
    reader = READERS.get(kind_of(layer))
    config: Any = reader(layer) if reader else None
    axis = getattr(config, "axis", None)
    if axis is None:
        return config
    if isinstance(config, merging.Concatenate):
        return replace(config, axis=axis % rank)
    if isinstance(axis, int):
        return replace(config, axis=axis % rank - rank)
    return replace(config, axis=tuple(one % rank - rank for one in axis))


def name_of(function: Any) -> str | None:
    """An activation's name; None where it is none of Keras's."""
    name = getattr(function, "__name__", type(function).__name__)
    return {"silu": "swish", "identity": "linear"}.get(name, name)


def _conv(layer: Any) -> Config:
    return conv.Conv(filters=layer.filters, groups=layer.groups, **_windows(layer))


def _windows(layer: Any) -> dict[str, Any]:
    rank = len(layer.kernel_size)
    return {
        "kernel_size": tuple(layer.kernel_size),
        "strides": several(layer.strides, rank),
        "padding": layer.padding,
        "dilation_rate": several(layer.dilation_rate, rank),
        "activation": None,
        "use_bias": bool(layer.use_bias),
    }


def several(value: Any, count: int) -> tuple[int, ...]:
    """A number for each of ``count`` axes."""
    return tuple(value) if isinstance(value, (tuple, list)) else (int(value),) * count


def _conv_transpose(layer: Any) -> Config:
    given = _windows(layer)
    if any(one != 1 for one in given.pop("dilation_rate")) or layer.output_padding is not None:
        return None
    return conv_transpose.ConvTranspose(filters=layer.filters, **given)


def _pool(kind: type[pooling.MaxPooling]) -> Callable[[Any], Config]:
    def read(layer: Any) -> Config:
        rank = len(layer.pool_size)
        return kind(
            pool_size=several(layer.pool_size, rank),
            strides=several(layer.strides, rank),
            padding=layer.padding,
        )

    return read


def _batch_norm(layer: Any) -> Config:
    return batch_norm.BatchNorm(
        axis=layer.axis if isinstance(layer.axis, int) else int(layer.axis[0]),
        momentum=layer.momentum,
        epsilon=layer.epsilon,
        center=layer.center,
        scale=layer.scale,
    )


def _layer_norm(layer: Any) -> Config:
    axes = (layer.axis,) if isinstance(layer.axis, int) else tuple(layer.axis)
    return layer_norm.LayerNorm(
        axis=axes, epsilon=layer.epsilon, center=layer.center, scale=layer.scale
    )


def _recurrent(layer: Any) -> Config:
    common: dict[str, Any] = {
        "units": layer.units,
        "activation": name_of(layer.activation),
        "use_bias": layer.use_bias,
        "return_sequences": layer.return_sequences,
        "go_backwards": layer.go_backwards,
    }
    if kind_of(layer) == "SimpleRNN":
        return simple_rnn.SimpleRNN(**common)
    common["recurrent_activation"] = name_of(layer.recurrent_activation)
    if kind_of(layer) == "LSTM":
        return lstm.LSTM(**common)
    reset = layer.reset_after if hasattr(layer, "reset_after") else layer.cell.reset_after
    return gru.GRU(reset_after=bool(reset), **common)


def _bidirectional(layer: Any) -> Config:
    inner = config_of(layer.forward_layer, 3)
    if inner is None or layer.merge_mode is None:
        return None
    return bidirectional.Bidirectional(layer=inner, merge_mode=layer.merge_mode)


def _relu(layer: Any) -> Config:
    if getattr(layer, "threshold", 0.0):
        return None
    limit, slope = layer.max_value, float(layer.negative_slope)
    if limit is None and not slope:
        return activations.Activation(activation="relu")
    limit = None if limit is None else float(limit)
    return activations.ReLU(max_value=limit, negative_slope=slope)


def _leaky(layer: Any) -> Config:
    slope = layer.alpha if hasattr(layer, "alpha") else layer.negative_slope
    return activations.ReLU(max_value=None, negative_slope=float(slope))


def activation_of(function: Any) -> Config:
    """A function's configuration, as a layer; None where it is none of those known."""
    name = name_of(function)
    if name == "relu6":
        return activations.ReLU(max_value=6.0, negative_slope=0.0)
    if name not in activations.FORMULAS and name != "hard_sigmoid":
        return None
    return activations.Activation(activation=str(name))


READERS: dict[str, Callable[[Any], Config]] = {
    "Dense": lambda layer: dense.Dense(
        units=layer.units, activation=None, use_bias=bool(layer.use_bias)
    ),
    **{f"Conv{rank}D": _conv for rank in (1, 2, 3)},
    **{
        f"DepthwiseConv{rank}D": lambda layer: conv.DepthwiseConv(
            depth_multiplier=layer.depth_multiplier, **_windows(layer)
        )
        for rank in (1, 2)
    },
    **{
        f"SeparableConv{rank}D": lambda layer: conv.SeparableConv(
            filters=layer.filters, depth_multiplier=layer.depth_multiplier, **_windows(layer)
        )
        for rank in (1, 2)
    },
    **{f"Conv{rank}DTranspose": _conv_transpose for rank in (1, 2, 3)},
    **{f"MaxPooling{rank}D": _pool(pooling.MaxPooling) for rank in (1, 2, 3)},
    **{f"AveragePooling{rank}D": _pool(pooling.AveragePooling) for rank in (1, 2, 3)},
    "GlobalMaxPooling2D": lambda layer: pooling.GlobalMaxPooling2D(keepdims=layer.keepdims),
    "GlobalAveragePooling2D": lambda layer: pooling.GlobalAveragePooling2D(keepdims=layer.keepdims),
    "GlobalAveragePooling1D": lambda layer: pooling.GlobalAveragePooling1D(keepdims=layer.keepdims),
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "GroupNormalization": lambda layer: layer_norm.GroupNorm(
        groups=layer.groups, epsilon=layer.epsilon, center=layer.center, scale=layer.scale
    ),
    "Embedding": lambda layer: embedding.Embedding(
        input_dim=layer.input_dim, output_dim=layer.output_dim, mask_zero=bool(layer.mask_zero)
    ),
    **dict.fromkeys(("SimpleRNN", "LSTM", "GRU"), _recurrent),
    "Bidirectional": _bidirectional,
    "Masking": lambda layer: masking.Masking(mask_value=float(layer.mask_value)),
    "Dropout": lambda layer: dropout.Dropout(rate=layer.rate),
    "SpatialDropout2D": lambda layer: dropout.SpatialDropout2D(rate=layer.rate),
    "GaussianDropout": lambda layer: dropout.GaussianDropout(rate=layer.rate),
    "AlphaDropout": lambda layer: dropout.AlphaDropout(rate=layer.rate),
    "GaussianNoise": lambda layer: dropout.GaussianNoise(stddev=layer.stddev),
    "Flatten": lambda _: flatten.Flatten(),
    "Reshape": lambda layer: flatten.Reshape(target_shape=tuple(layer.target_shape)),
    "Permute": lambda layer: flatten.Permute(dims=tuple(layer.dims)),
    "Add": lambda _: merging.Add(),
    "Multiply": lambda _: merging.Multiply(),
    "Concatenate": lambda layer: merging.Concatenate(axis=layer.axis),
    "ZeroPadding2D": lambda layer: padding.ZeroPadding2D(padding=_sides(layer.padding)),
    "Cropping2D": lambda layer: padding.Cropping2D(cropping=_sides(layer.cropping)),
    "UpSampling2D": lambda layer: (
        padding.UpSampling2D(size=tuple(layer.size)) if layer.interpolation == "nearest" else None
    ),
    "ReLU": _relu,
    "LeakyReLU": _leaky,
    "ELU": lambda layer: activations.Activation(activation="elu") if layer.alpha == 1.0 else None,
    "Softmax": lambda layer: (
        activations.Activation(activation="softmax") if layer.axis == -1 else None
    ),
    "Activation": lambda layer: activation_of(layer.activation),
}
"""Class to what reads its configuration."""


def _sides(value: Any) -> padding.Sides:
    (top, bottom), (left, right) = value
    return (int(top), int(bottom)), (int(left), int(right))
