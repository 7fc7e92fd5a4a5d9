"""PyTorch's dropout with numbers from outside. Twin: ``keras_impl/capture/injected.py``."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from parity.constants import as_float32
from parity.pairs.trainer import uniform
from torch_impl.capture.layout import Layout

SPATIAL = {"dropout1d", "dropout2d", "dropout3d", "feature_dropout"}
DROPOUTS = {"dropout", "dropout_", *SPATIAL}


class Injected(TorchFunctionMode):
    """While it is entered, dropout keeps where the shared numbers say so.

    Modules call the functions, so both are reached.

    Args:
        names: by which each call draws, in the order of the calls; an empty one keeps all.
        layouts: how each call's tensor lies; None: they are asked for and remembered.
        seed: of all draws.
        step: of the training, from 0.
        watched: number of the call that is under way, and how a tensor lies, whose second axis
            may be known for channels.
        rounded: whether functions take their constants rounded to float32, as Keras's do.
    """

    def __init__(
        self,
        names: Sequence[str],
        layouts: Sequence[Layout] | None,
        seed: int,
        step: int,
        watched: Callable[[Tensor, bool], tuple[int, Layout]],
        rounded: bool = False,
    ) -> None:
        super().__init__()
        self.names = names
        self.known = layouts
        self.seed = seed
        self.step = step
        self.watched = watched
        self.rounded = rounded
        self.numbers: list[int] = []
        self.layouts: list[Layout] = []

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if self.rounded and name in ROUNDED:
            return ROUNDED[name](func, *args, **kwargs)
        if name in EXACT and args[0].dtype == torch.float64:
            return EXACT[name](*args, **kwargs)
        if name not in DROPOUTS or not args:
            return func(*args, **kwargs)
        x, rate, training = _asked(*args, **kwargs)
        if not training:
            return func(*args, **kwargs)
        place = len(self.numbers)
        if self.known is None:
            number, layout = self.watched(x, name in SPATIAL)
        else:
            number, layout = -1, self._known(place, x)
        self.numbers.append(number)
        self.layouts.append(layout)
        own = self.names[place] if place < len(self.names) else f"torch/{place}"
        if not own:
            return x
        shape = layout.to_canonical(x.detach()).shape
        drawn = torch.as_tensor(uniform(self.seed, own, self.step, shape))
        lies = layout.from_canonical(drawn).reshape(x.shape)
        if name in SPATIAL:
            lies = lies[(slice(None), slice(None), *(slice(1),) * (x.ndim - 2))]
        scale = 1.0 / (1.0 - rate) if rate < 1.0 else 0.0
        return x * ((lies.double() >= rate).to(x.dtype) * scale).to(x.device)

    def _known(self, place: int, x: Tensor) -> Layout:
        known = self.known or ()
        fits = place < len(known) and known[place].shape == tuple(x.shape)
        return known[place] if fits else Layout.plain(tuple(x.shape))


def _gelu(func: Any, x: Tensor, *, approximate: str = "none") -> Any:
    """Source: ``tf.nn.gelu``, which casts √½ and 0.044715 through float32."""
    if approximate == "none":
        return 0.5 * x * torch.erfc(-x * as_float32(math.sqrt(0.5)))
    inner = math.sqrt(2.0 / math.pi) * (x + as_float32(0.044715) * x**3)
    return 0.5 * x * (1.0 + torch.tanh(inner))


def _leaky(func: Any, x: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Any:
    return func(x, as_float32(negative_slope), inplace)


ROUNDED: dict[str, Callable[..., Any]] = {"gelu": _gelu, "leaky_relu": _leaky}
"""Functions whose constants Keras rounds, as they are then."""


def _hardsigmoid(x: Tensor, inplace: bool = False) -> Tensor:
    """Source: ``aten/src/ATen/native/cpu/Activation.cpp``, whose gradient takes 1/6 as float32."""
    return (x + 3.0).clamp(0.0, 6.0) / 6.0


EXACT: dict[str, Callable[..., Tensor]] = {"hardsigmoid": _hardsigmoid}
"""Functions whose gradients PyTorch rounds in float64, as they are without that."""


def _asked(
    x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False, **others: Any
) -> tuple[Tensor, float, bool]:
    return x, p, bool(others.get("train", training))


def unshared(model: nn.Module) -> list[str]:
    """Modules that draw and that this does not reach."""
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, (nn.AlphaDropout, nn.FeatureAlphaDropout))
        or (isinstance(module, (nn.MultiheadAttention, nn.RNNBase)) and module.dropout)
    ]
