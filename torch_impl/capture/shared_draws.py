"""PyTorch's random functions with numbers from outside.

Twin: ``keras_impl/capture/shared_draws.py``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from parity.adapters.random_draws import Mask, normal, uniform
from parity.adapters.trainer import RunOptions
from parity.constants import as_float32
from parity.reference.layers.activations import SELU_LIMIT
from torch_impl.capture.read.aten import as_function
from torch_impl.capture.read.functions import name_of
from torch_impl.capture.read.layout import Layout

FEATURES = {"feature_alpha_dropout", "feature_alpha_dropout_"}
SPATIAL = {"dropout1d", "dropout2d", "dropout3d", "feature_dropout", *FEATURES}
UNBATCHED = {"dropout1d": 2, "dropout3d": 4}
"""Functions to the number of axes of a single example, whose first axis is the channels'."""
ALPHA = {"alpha_dropout", "alpha_dropout_", *FEATURES}
DROPOUTS = {"dropout", "dropout_", *SPATIAL, *ALPHA}
NORMALS = {"randn", "randn_like", "normal", "normal_"}
UNIFORMS = {"rand", "rand_like", "uniform_", "bernoulli", "bernoulli_"}
LAST = 1.0 - 2.0**-24
"""The largest number that is drawn: all are multiples of what it lacks of 1."""


class SharedDraws(TorchFunctionMode):
    """While it is entered, dropout and noise draw the shared numbers.

    Modules call the functions, so both are reached.

    Args:
        options: the streams that each call draws from, the masks of the model's own code that get
            shared numbers, and whether functions take constants rounded to float32.
        layouts: of each call's tensor; None: they are looked up and remembered.
        seed: of all draws.
        step: of the training, from 0.
        watched: number of the watched call under way, and the layout of a tensor, whose second axis
            may be known for channels.
    """

    def __init__(
        self,
        options: RunOptions,
        layouts: Sequence[Layout] | None,
        seed: int,
        step: int,
        watched: Callable[[Tensor, bool], tuple[int, Layout]],
    ) -> None:
        super().__init__()
        self.options = options
        self.known = layouts
        self.seed = seed
        self.step = step
        self.watched = watched
        self.calls: list[int] = []
        self.layouts: list[Layout] = []
        self.noise: dict[int, np.ndarray] = {}  # normal numbers, canonical, by place
        self.masks: dict[int, Mask] = {}  # of uniform numbers, by place
        self.asked: dict[tuple[int, ...], Layout] = {}  # layouts of shapes that code looked up

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        func, args, kwargs = as_function(func, args, kwargs or {})
        name = name_of(func)
        if self.options.float32_constants and name in ROUNDED:
            return ROUNDED[name](func, *args, **kwargs)
        if name in EXACT and args[0].dtype == torch.float64:
            return EXACT[name](*args, **kwargs)
        if name in NORMALS or (name in UNIFORMS and kwargs.get("generator") is None):
            out = func(*args, **kwargs)  # with a generator of its own uniform numbers repeat
            draw = self._normal if name in NORMALS else self._uniform
            return out if out.is_meta else draw(name, args, kwargs, out)
        if name in ("shape", "size") and self.known is None:
            self.asked[tuple(args[0].shape)] = self.watched(args[0], False)[1]
        if name not in DROPOUTS or not args:
            return func(*args, **kwargs)
        x, rate, training = _asked(name in ALPHA, *args, **kwargs)
        if not training:
            return func(*args, **kwargs)
        own, layout = self._next(x, spatial=name in SPATIAL)
        if not own:
            return x
        shape = layout.to_canonical(x.detach()).shape
        drawn = torch.as_tensor(uniform(self.seed, own, self.step, shape))
        values = layout.from_canonical(drawn).reshape(x.shape)
        if name in SPATIAL:
            kept_axes = 1 if UNBATCHED.get(name) == x.ndim else 2
            values = values[(*(slice(None),) * kept_axes, *(slice(1),) * (x.ndim - kept_axes))]
        kept = (values.double() >= rate).to(x.dtype).to(x.device)
        if name in ALPHA and 0.0 < rate < 1.0:
            a = 1.0 / math.sqrt((SELU_LIMIT**2 * rate + 1.0) * (1.0 - rate))
            return x * (kept * a) - ((kept - 1.0) * (SELU_LIMIT * a) + SELU_LIMIT * a * rate)
        return x * (kept * (1.0 / (1.0 - rate) if rate < 1.0 else 0.0))

    def _uniform(self, name: str, args: tuple[Any, ...], kwargs: Any, out: Tensor) -> Tensor:
        """The numbers that were drawn, or shared ones if the options have a mask for this call."""
        place = len(self.calls)
        own, layout = self._next(_like(out, args, kwargs), noise=True)
        self.calls[place] = -1  # it belongs to no layer
        shape = tuple(layout.to_canonical(out.detach()).shape)
        self.masks[place] = Mask(shape, shape)
        mask = self.options.masks.get(place)
        if mask is None or not own or mask.sizes != Mask(shape, shape).sizes:
            return out
        numbers = mask.of(uniform(self.seed, own, self.step, mask.shape)).astype(np.float64)
        numbers = LAST - numbers if place in self.options.descending else numbers
        values = layout.from_canonical(torch.as_tensor(numbers).reshape(shape)).reshape(out.shape)
        with torch.no_grad():
            if name.startswith("bernoulli"):
                value = (values >= 1.0 - _chance(name, *args, **kwargs)).to(out)
            else:
                low, high = _range(*args[1:], **kwargs) if name == "uniform_" else (0.0, 1.0)
                value = (low + (high - low) * values).to(out)
            return out.copy_(value) if name.endswith("_") or "out" in kwargs else value

    def _normal(self, name: str, args: tuple[Any, ...], kwargs: Any, out: Tensor) -> Tensor:
        """The shared numbers instead of those that were drawn."""
        given = args[1:] if name == "normal_" else () if name in ("randn", "randn_like") else args
        place = len(self.calls)
        own, layout = self._next(_like(out, args, kwargs), noise=True)
        shape = layout.to_canonical(out.detach()).shape
        drawn = normal(self.seed, own, self.step, shape) if own else np.zeros(shape, np.float32)
        self.noise[place] = drawn
        values = layout.from_canonical(torch.as_tensor(drawn)).reshape(out.shape)
        mean, stddev = _moments(*given, **kwargs)
        with torch.no_grad():
            value = mean + stddev * values.to(out)
            return out.copy_(value) if name == "normal_" else value

    def _next(self, x: Tensor, spatial: bool = False, noise: bool = False) -> tuple[str, Layout]:
        """The stream that a call draws from, and the layout of its result.

        As ``x``; noise of no known order as the tensor that was last asked for such a shape.
        """
        place, shape = len(self.calls), tuple(x.shape)
        if self.known is None:
            number, layout = self.watched(x, spatial)
            if noise and layout.canonical:
                layout = self.asked.get(shape, layout)
        else:
            fits = place < len(self.known) and self.known[place].shape == shape
            number, layout = -1, self.known[place] if fits else Layout.plain(shape)
        self.calls.append(number)
        self.layouts.append(layout)
        names = self.options.names
        return names[place] if place < len(names) else f"torch/{place}", layout


def _gelu(func: Any, x: Tensor, *, approximate: str = "none") -> Any:
    """Source: ``tf.nn.gelu``, which casts √½ and 0.044715 through float32."""
    if approximate == "none":
        return 0.5 * x * torch.erfc(-x * as_float32(math.sqrt(0.5)))
    inner = math.sqrt(2.0 / math.pi) * (x + as_float32(0.044715) * x**3)
    return 0.5 * x * (1.0 + torch.tanh(inner))


def _leaky(func: Any, x: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Any:
    return func(x, as_float32(negative_slope), inplace)


ROUNDED: dict[str, Callable[..., Any]] = {"gelu": _gelu, "leaky_relu": _leaky}
"""Functions with the constants that Keras rounds, rounded."""


def _hardsigmoid(x: Tensor, inplace: bool = False) -> Tensor:
    """Source: ``aten/src/ATen/native/cpu/Activation.cpp``, whose gradient takes 1/6 as float32."""
    return (x + 3.0).clamp(0.0, 6.0) / 6.0


EXACT: dict[str, Callable[..., Tensor]] = {"hardsigmoid": _hardsigmoid}
"""Functions whose gradients PyTorch rounds in float64, without that rounding."""


def _asked(
    alpha: bool,
    x: Tensor,
    p: float = 0.5,
    training: bool | None = None,
    inplace: bool = False,
    **others: Any,
) -> tuple[Tensor, float, bool]:
    """Arguments of a dropout; by default ``alpha_dropout`` does nothing and the others drop."""
    given = others.get("train", training)
    return x, p, not alpha if given is None else bool(given)


def _like(out: Tensor, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor:
    """An argument of the result's shape, or the result."""
    given = [one for one in (*args, *kwargs.values()) if isinstance(one, Tensor)]
    return next((one for one in given if one.shape == out.shape), out)


def _chance(name: str, x: Tensor, p: Any = None, **_: Any) -> Any:
    """Probability of a 1: the argument ``p``, else ``bernoulli``'s input; in place a half."""
    if p is None:
        return 0.5 if name.endswith("_") else x.double()
    return p


def _range(*args: float, **kwargs: float) -> tuple[float, float]:
    """Range of a tensor's ``uniform_``, or of that in ``torch.nn.init``."""
    given = dict(zip(("from", "to"), args, strict=False)) | kwargs
    return given.get("from", given.get("a", 0.0)), given.get("to", given.get("b", 1.0))


def _moments(mean: Any = 0.0, std: Any = 1.0, *_: Any, **__: Any) -> tuple[Any, Any]:
    return mean, std


def unshared(model: nn.Module) -> list[str]:
    """Names of modules that draw random numbers which cannot be replaced."""
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, (nn.MultiheadAttention, nn.RNNBase)) and module.dropout
    ]
