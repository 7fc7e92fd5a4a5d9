"""What Keras's layers are in the terms of :mod:`parity.reference.layers`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from keras_impl.capture.read import activations, recurrent, windowed
from parity.reference.layers import activations as formulas
from parity.reference.layers import (
    batch_norm,
    dense,
    dropout,
    embedding,
    layer_norm,
    masking,
    merging,
    reshaping,
)
from parity.reference.layers.windowed import pooling

Config = Any
"""A dataclass of :mod:`parity.reference.layers`; None if it cannot express what the layer does."""

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

OF_ONE = ("SimpleRNN", "LSTM", "GRU", "Bidirectional", "RNN")
"""Layers whose further tensors are masks and states."""

MASKED = (*OF_ONE, "GlobalAveragePooling1D", "BatchNormalization")
"""Layers that a mask changes."""

FUSED = ("Dense", "Conv", "Depthwise", "Separable")
"""Beginnings of the classes whose activation counts as a call of its own."""


def kind_of(layer: Any) -> str:
    """Name of the first class of Keras's own among the layer's; empty where there is none."""
    for cls in type(layer).__mro__:
        if cls.__module__.startswith("keras.src.ops."):
            return f"ops.{cls.__name__}"
        if cls.__module__.split(".")[0] in ("keras", "tf_keras"):
            return "" if cls.__name__ in ("Layer", "Operation", "Model") else cls.__name__
    return ""


def known(layer: Any) -> bool:
    """Whether the layer is looked at as a whole."""
    return kind_of(layer) in READERS or kind_of(layer) in WHOLE


def _overridden(layer: Any) -> bool:
    """Whether a class of the user's computes otherwise than Keras's that it is made from."""
    for cls in type(layer).__mro__:
        if cls.__module__.split(".")[0] in ("keras", "tf_keras"):
            own: Any = cls
            return type(layer).call is not own.call
    return False


def operation(layer: Any) -> bool:
    """Whether it is a function in a functional model, which is no layer of its own."""
    kind = kind_of(layer)
    return kind.startswith("ops.") or kind in ("TFOpLambda", "SlicingOpLambda")


def activated(layer: Any) -> Any:
    """The layer whose activation it is: of TimeDistributed the one within."""
    return layer.layer if kind_of(layer) == "TimeDistributed" else layer


def fused(layer: Any) -> bool:
    """Whether it has an activation that counts as a call of its own."""
    owner = activated(layer)
    if not kind_of(owner).startswith(FUSED):
        return False
    return activations.name_of(owner.activation) not in ("NoneType", "linear")


def moved_axis(layer: Any) -> int | None:
    """Which axis a layer that normalises takes for channels; None where it says nothing."""
    if kind_of(layer) not in ("BatchNormalization", "GroupNormalization"):
        return None
    return layer.axis if isinstance(layer.axis, int) else int(layer.axis[0])


def config_of(layer: Any, rank: int, first: bool = False) -> Config:
    """The layer's configuration; None for kinds that are not known.

    Args:
        layer: a layer.
        rank: axes of its (first) input; axes that are named are counted from the end, a
            concatenation's from the start.
        first: whether the channels are its second axis, and the last of the canonical order.
    """
    config: Any
    if operation(layer):
        config = activations.activation_of(layer.call, flavour_of(layer))
        return None if getattr(config, "activation", "") == "linear" else config
    reader = None if _overridden(layer) else READERS.get(kind_of(layer))
    config = reader(layer) if reader else None
    axis = getattr(config, "axis", None)
    if axis is None:
        return config
    if moved_axis(layer) is not None:
        return replace(config, axis=-1)
    several = (axis,) if isinstance(axis, int) else axis
    places = [one % rank for one in several]
    if first and rank > 2:
        places = [0 if one == 0 else rank - 1 if one == 1 else one - 1 for one in places]
    if isinstance(config, merging.Concatenate):
        return replace(config, axis=places[0])
    if isinstance(config, formulas.Softmax):
        if places[0] == rank - 1:
            return formulas.Activation(activation="softmax")
        return replace(config, axis=places[0] - rank)
    return replace(config, axis=tuple(sorted(one - rank for one in places)))


def flavour_of(thing: Any) -> str:
    """``tf_keras`` or ``keras3``, by the object's classes; empty where it is of neither."""
    for cls in type(thing).__mro__:
        name = {"tf_keras": "tf_keras", "keras": "keras3"}.get(cls.__module__.split(".")[0])
        if name:
            return name
    return ""


def _each_step(layer: Any) -> Config:
    """TimeDistributed around what works along the last axis anyway."""
    inner = layer.layer
    plain = ("Dense", "Activation", "ReLU", "LeakyReLU", "ELU", "Dropout", "LayerNormalization")
    return config_of(inner, 3) if kind_of(inner) in plain else None


def _dropout(layer: Any) -> Config:
    """One whose ``noise_shape`` keeps or drops whole channels is a spatial one."""
    noise = layer.noise_shape or (None,)
    whole = len(noise) > 2 and {*noise[1:-1]} == {1} and 1 not in (noise[0], noise[-1])
    if kind_of(layer) == "AlphaDropout":
        return (dropout.SpatialAlphaDropout if whole else dropout.AlphaDropout)(rate=layer.rate)
    kinds = {3: dropout.SpatialDropout1D, 4: dropout.SpatialDropout2D, 5: dropout.SpatialDropout3D}
    return (kinds.get(len(noise), dropout.Dropout) if whole else dropout.Dropout)(rate=layer.rate)


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


READERS: dict[str, Callable[[Any], Config]] = {
    "Dense": lambda layer: dense.Dense(
        units=layer.units, activation=None, use_bias=bool(layer.use_bias)
    ),
    **{f"Conv{rank}D": windowed.convolution for rank in (1, 2, 3)},
    **{f"DepthwiseConv{rank}D": windowed.depthwise for rank in (1, 2)},
    **{f"SeparableConv{rank}D": windowed.separable for rank in (1, 2)},
    **{f"Conv{rank}DTranspose": windowed.transposed for rank in (1, 2, 3)},
    **{f"MaxPooling{rank}D": windowed.pool(pooling.MaxPooling) for rank in (1, 2, 3)},
    **{f"AveragePooling{rank}D": windowed.pool(pooling.AveragePooling) for rank in (1, 2, 3)},
    **{
        f"Global{name}Pooling{rank}D": windowed.global_pool(kind, rank)
        for name, kind in (
            ("Max", pooling.GlobalMaxPooling),
            ("Average", pooling.GlobalAveragePooling),
        )
        for rank in (1, 2, 3)
    },
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "GroupNormalization": lambda layer: layer_norm.GroupNorm(
        groups=layer.groups, epsilon=layer.epsilon, center=layer.center, scale=layer.scale
    ),
    "Embedding": lambda layer: embedding.Embedding(
        input_dim=layer.input_dim, output_dim=layer.output_dim, mask_zero=bool(layer.mask_zero)
    ),
    **{
        kind: lambda layer, kind=kind: recurrent.config_of(layer, kind)  # type: ignore[misc]
        for kind in ("SimpleRNN", "LSTM", "GRU")
    },
    "Bidirectional": lambda layer: recurrent.of_bidirectional(
        layer, config_of(layer.forward_layer, 3)
    ),
    "MultiHeadAttention": recurrent.of_attention,
    "TimeDistributed": _each_step,
    "Masking": lambda layer: masking.Masking(mask_value=float(layer.mask_value)),
    "Dropout": _dropout,
    "SpatialDropout1D": lambda layer: dropout.SpatialDropout1D(rate=layer.rate),
    "SpatialDropout2D": lambda layer: dropout.SpatialDropout2D(rate=layer.rate),
    "SpatialDropout3D": lambda layer: dropout.SpatialDropout3D(rate=layer.rate),
    "GaussianDropout": lambda layer: dropout.GaussianDropout(rate=layer.rate),
    "AlphaDropout": _dropout,
    "GaussianNoise": lambda layer: dropout.GaussianNoise(stddev=layer.stddev),
    "Flatten": lambda _: reshaping.Flatten(),
    "Reshape": lambda layer: reshaping.Reshape(target_shape=tuple(layer.target_shape)),
    "Permute": lambda layer: reshaping.Permute(dims=tuple(layer.dims)),
    "Add": lambda _: merging.Add(),
    "Multiply": lambda _: merging.Multiply(),
    "Concatenate": lambda layer: merging.Concatenate(axis=layer.axis),
    "Subtract": lambda _: merging.Subtract(),
    "Average": lambda _: merging.Average(),
    "Maximum": lambda _: merging.Maximum(),
    "Minimum": lambda _: merging.Minimum(),
    **{f"ZeroPadding{rank}D": windowed.zeros for rank in (1, 2, 3)},
    **{f"Cropping{rank}D": windowed.cropping for rank in (1, 2, 3)},
    **{f"UpSampling{rank}D": windowed.upsampling(rank) for rank in (1, 2, 3)},
    "ReLU": activations.of_relu,
    "LeakyReLU": activations.of_leaky,
    "ELU": activations.of_elu,
    "PReLU": lambda _: formulas.PReLU(),
    "Softmax": activations.of_softmax,
    "Activation": lambda layer: activations.activation_of(layer.activation, flavour_of(layer)),
}
"""Class to what reads its configuration."""
