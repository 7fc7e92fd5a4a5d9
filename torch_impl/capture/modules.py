"""What PyTorch's modules are in Keras's terms, and how their inputs lie."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

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
    padding,
    pooling,
    simple_rnn,
)

Config = Any
"""A dataclass of :mod:`parity.layers`, or None where it has no room for what the module does."""


def config_of(module: nn.Module) -> Config:
    """The module's configuration; None for kinds that are not known."""
    for kind, reader in READERS.items():
        if isinstance(module, kind):
            return reader(module)
    return None


def known(module: nn.Module) -> bool:
    """Whether it is looked at as a whole: a kind of its own, or PyTorch's and without parts."""
    if isinstance(module, (*READERS, nn.MultiheadAttention)):
        return True
    return type(module).__module__.startswith("torch.nn.") and not any(module.children())


def spatial(module: nn.Module) -> bool:
    """Whether it takes its second axis for channels, whatever went before."""
    return isinstance(module, SPATIAL)


def several(value: Any, count: int) -> tuple[int, ...]:
    """A number for each of ``count`` axes."""
    return tuple(value) if isinstance(value, (tuple, list)) else (int(value),) * count


def sides(value: Any, count: int) -> str | tuple[tuple[int, int], ...]:
    """PyTorch's padding: a word, or as much before an axis as after it."""
    if isinstance(value, str):
        return value
    found = several(value, count)
    return tuple((one, one) for one in found) if any(found) else "valid"


def _conv(module: Any) -> Config:
    rank = len(module.kernel_size)
    if module.padding_mode != "zeros":
        return None
    common: dict[str, Any] = {
        "kernel_size": tuple(module.kernel_size),
        "strides": tuple(module.stride),
        "padding": sides(module.padding, rank),
        "dilation_rate": tuple(module.dilation),
        "activation": None,
        "use_bias": module.bias is not None,
    }
    if module.groups == module.in_channels > 1:
        multiplier = module.out_channels // module.in_channels
        return conv.DepthwiseConv(depth_multiplier=multiplier, **common)
    return conv.Conv(filters=module.out_channels, groups=module.groups, **common)


def _conv_transpose(module: Any) -> Config:
    dilated = any(one != 1 for one in module.dilation) or module.groups != 1
    if dilated or any(module.output_padding) or any(module.padding):
        return None
    return conv_transpose.ConvTranspose(
        filters=module.out_channels,
        kernel_size=tuple(module.kernel_size),
        strides=tuple(module.stride),
        padding="valid",
        activation=None,
        use_bias=module.bias is not None,
    )


def _pool(kind: type[pooling.MaxPooling], rank: int) -> Callable[[Any], Config]:
    def read(module: Any) -> Config:
        if module.ceil_mode or getattr(module, "dilation", 1) not in (1, (1,) * rank):
            return None
        sizes = several(module.kernel_size, rank)
        stride = module.kernel_size if module.stride is None else module.stride
        return kind(
            pool_size=sizes,
            strides=several(stride, rank),
            padding=sides(module.padding, rank),
            **_counted(module, rank),
        )

    return read


def _counted(module: Any, rank: int) -> dict[str, bool]:
    padded = any(several(module.padding, rank))
    return (
        {"count_include_pad": True}
        if padded and getattr(module, "count_include_pad", False)
        else {}
    )


def _global_pool(kind: str, rank: int) -> Callable[[Any], Config]:
    def read(module: Any) -> Config:
        sizes = several(module.output_size, rank)
        config = getattr(pooling, f"Global{kind}Pooling{rank}D", None)
        return config(keepdims=True) if config and all(one == 1 for one in sizes) else None

    return read


def _batch_norm(module: Any) -> Config:
    if not module.track_running_stats or module.momentum is None:
        return None
    return batch_norm.BatchNorm(
        axis=-1,
        momentum=1.0 - module.momentum,
        epsilon=module.eps,
        center=module.bias is not None,
        scale=module.weight is not None,
    )


def _layer_norm(module: Any) -> Config:
    axes = tuple(range(-len(module.normalized_shape), 0))
    return layer_norm.LayerNorm(
        axis=axes,
        epsilon=module.eps,
        center=module.bias is not None,
        scale=module.weight is not None,
    )


def _group_norm(module: Any) -> Config:
    return layer_norm.GroupNorm(
        groups=module.num_groups,
        epsilon=module.eps,
        center=module.bias is not None,
        scale=module.weight is not None,
    )


def _recurrent(module: Any) -> Config:
    if module.num_layers != 1 or getattr(module, "proj_size", 0):
        return None
    common: dict[str, Any] = {
        "units": module.hidden_size,
        "use_bias": module.bias,
        "return_sequences": True,
        "go_backwards": False,
        "activation": getattr(module, "nonlinearity", "tanh"),
    }
    config: Any
    if isinstance(module, nn.LSTM):
        config = lstm.LSTM(recurrent_activation="sigmoid", **common)
    elif isinstance(module, nn.GRU):
        config = gru.GRU(recurrent_activation="sigmoid", reset_after=True, **common)
    else:
        config = simple_rnn.SimpleRNN(**common)
    if module.bidirectional:
        return bidirectional.Bidirectional(layer=config, merge_mode="concat")
    return config


def _upsample(module: Any) -> Config:
    if module.mode != "nearest" or not module.scale_factor:
        return None
    height, width = several(module.scale_factor, 2)
    return padding.UpSampling2D(size=(int(height), int(width)))


def _activation(name: str) -> Callable[[Any], Config]:
    return lambda _: activations.Activation(activation=name)


def _unless(wrong: Callable[[Any], bool], name: str) -> Callable[[Any], Config]:
    return lambda module: None if wrong(module) else activations.Activation(activation=name)


READERS: dict[type[nn.Module], Callable[[Any], Config]] = {
    nn.Linear: lambda module: dense.Dense(
        units=module.out_features, activation=None, use_bias=module.bias is not None
    ),
    **dict.fromkeys((nn.Conv1d, nn.Conv2d, nn.Conv3d), _conv),
    **dict.fromkeys((nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d), _conv_transpose),
    **{
        getattr(nn, f"{short}Pool{rank}d"): _pool(kind, rank)
        for short, kind in (("Max", pooling.MaxPooling), ("Avg", pooling.AveragePooling))
        for rank in (1, 2, 3)
    },
    **{
        getattr(nn, f"Adaptive{short}Pool{rank}d"): _global_pool(kind, rank)
        for short, kind in (("Max", "Max"), ("Avg", "Average"))
        for rank in (1, 2, 3)
    },
    **dict.fromkeys((nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d), _batch_norm),
    nn.LayerNorm: _layer_norm,
    nn.GroupNorm: _group_norm,
    nn.Embedding: lambda module: embedding.Embedding(
        input_dim=module.num_embeddings, output_dim=module.embedding_dim, mask_zero=False
    ),
    **dict.fromkeys((nn.RNN, nn.LSTM, nn.GRU), _recurrent),
    nn.Dropout: lambda module: dropout.Dropout(rate=module.p),
    nn.Dropout2d: lambda module: dropout.SpatialDropout2D(rate=module.p),
    nn.AlphaDropout: lambda module: dropout.AlphaDropout(rate=module.p),
    nn.Flatten: lambda module: flatten.Flatten() if module.start_dim == 1 else None,
    nn.ReLU: _activation("relu"),
    nn.ReLU6: lambda _: activations.ReLU(max_value=6.0, negative_slope=0.0),
    nn.LeakyReLU: lambda module: activations.ReLU(
        max_value=None, negative_slope=module.negative_slope
    ),
    nn.Sigmoid: _activation("sigmoid"),
    nn.Tanh: _activation("tanh"),
    nn.SiLU: _activation("swish"),
    nn.GELU: lambda module: activations.Activation(
        activation="gelu" if module.approximate == "none" else "gelu_tanh"
    ),
    nn.ELU: _unless(lambda module: module.alpha != 1.0, "elu"),
    nn.SELU: _activation("selu"),
    nn.Softplus: _unless(lambda module: module.beta != 1.0, "softplus"),
    nn.Softsign: _activation("softsign"),
    nn.Hardsigmoid: _activation("hard_sigmoid"),
    nn.Softmax: _activation("softmax"),
    nn.ZeroPad2d: lambda module: padding.ZeroPadding2D(
        padding=(tuple(module.padding[2:]), tuple(module.padding[:2]))
    ),
    nn.Upsample: _upsample,
}
"""Class to what reads its configuration; first match counts."""

SPATIAL = (
    *(nn.Conv1d, nn.Conv2d, nn.Conv3d),
    *(nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
    *(nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d),
    *(nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d),
    *(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d),
    *(nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.GroupNorm, nn.Dropout2d),
    *(nn.ZeroPad2d, nn.Upsample),
)
