"""What PyTorch's modules are in Keras's terms, and how their inputs lie."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from parity.reference.layers import batch_norm, dense, dropout, embedding, layer_norm, reshaping
from parity.reference.layers.windowed import pooling
from torch_impl.capture.read import activations, attention, recurrent, windowed
from torch_impl.parts.layers import ResetBeforeGRU

Config = Any
"""A dataclass of :mod:`parity.reference.layers`; None if it cannot express what the module does."""


def config_of(module: nn.Module, shape: Sequence[int] = ()) -> Config:
    """The module's configuration; None for kinds that are not known.

    Args:
        module: a module.
        shape: of its input, on which it depends what ``ceil_mode`` comes to.
    """
    if isinstance(module, windowed.POOLS) and module.ceil_mode:
        return windowed.ceiled(module, shape)
    for kind, reader in READERS.items():
        if isinstance(module, kind):
            return reader(module)
    return None


def known(module: nn.Module) -> bool:
    """Whether it is looked at as a whole: a kind of its own, or PyTorch's and without parts."""
    if isinstance(module, tuple(READERS)):
        return not _overridden(module)
    if isinstance(module, THIN):
        return False
    return type(module).__module__.startswith("torch.nn.") and not any(module.children())


def _overridden(module: nn.Module) -> bool:
    """Whether a class of the user's computes otherwise than PyTorch's that it is made from."""
    kind = next(one for one in type(module).__mro__ if one in READERS)
    return type(module).forward is not kind.forward


def spatial(module: nn.Module) -> bool:
    """Whether it takes its second axis for channels, whatever went before."""
    return isinstance(module, SPATIAL)


def along_last(module: nn.Module) -> bool:
    """Whether it takes its last axis for channels, whatever went before."""
    if isinstance(module, nn.LayerNorm):
        return len(module.normalized_shape) == 1
    return isinstance(module, nn.Linear)


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


READERS: dict[type[nn.Module], Callable[[Any], Config]] = {
    nn.Linear: lambda module: dense.Dense(
        units=module.out_features, activation=None, use_bias=module.bias is not None
    ),
    **dict.fromkeys((nn.Conv1d, nn.Conv2d, nn.Conv3d), windowed.convolution),
    **dict.fromkeys(
        (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
        windowed.transposed_convolution,
    ),
    **{
        getattr(nn, f"{short}Pool{rank}d"): windowed.pool(kind, rank)
        for short, kind in (("Max", pooling.MaxPooling), ("Avg", pooling.AveragePooling))
        for rank in (1, 2, 3)
    },
    **{
        getattr(nn, f"Adaptive{short}Pool{rank}d"): windowed.global_pool(kind, rank)
        for short, kind in (("Max", "Max"), ("Avg", "Average"))
        for rank in (1, 2, 3)
    },
    **dict.fromkeys((nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d), _batch_norm),
    nn.LayerNorm: _layer_norm,
    nn.GroupNorm: _group_norm,
    nn.Embedding: lambda module: embedding.Embedding(
        input_dim=module.num_embeddings, output_dim=module.embedding_dim, mask_zero=False
    ),
    **dict.fromkeys((nn.RNN, nn.LSTM, nn.GRU), recurrent.config_of),
    ResetBeforeGRU: recurrent.before_reset,
    nn.Dropout: lambda module: dropout.Dropout(rate=module.p),
    nn.Dropout1d: lambda module: dropout.SpatialDropout1D(rate=module.p),
    nn.Dropout2d: lambda module: dropout.SpatialDropout2D(rate=module.p),
    nn.Dropout3d: lambda module: dropout.SpatialDropout3D(rate=module.p),
    nn.AlphaDropout: lambda module: dropout.AlphaDropout(rate=module.p),
    nn.FeatureAlphaDropout: lambda module: dropout.SpatialAlphaDropout(rate=module.p),
    nn.Flatten: lambda module: reshaping.Flatten() if module.start_dim == 1 else None,
    **activations.READERS,
    nn.MultiheadAttention: attention.config_of,
    **dict.fromkeys((nn.ZeroPad1d, nn.ZeroPad2d, nn.ZeroPad3d), windowed.zeros),
    **dict.fromkeys((nn.ConstantPad1d, nn.ConstantPad2d, nn.ConstantPad3d), windowed.zeros),
}
"""Class to what reads its configuration; first match counts."""

THIN = (
    *(nn.Identity, nn.Unflatten, nn.Softmax, nn.Softmax2d, nn.LogSoftmax),
    *(nn.Upsample, nn.UpsamplingNearest2d, nn.UpsamplingBilinear2d),
)
"""Modules of a single function, which is looked at in their stead."""

SPATIAL = (
    *(nn.Conv1d, nn.Conv2d, nn.Conv3d),
    *(nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
    *(nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d),
    *(nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d),
    *(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d),
    *(nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.GroupNorm),
    *(nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.FeatureAlphaDropout),
    *(nn.ZeroPad1d, nn.ZeroPad2d, nn.ZeroPad3d),
    *(nn.ConstantPad1d, nn.ConstantPad2d, nn.ConstantPad3d),
)
