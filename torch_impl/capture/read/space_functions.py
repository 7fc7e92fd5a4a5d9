"""PyTorch's functions along the axes of space, in Keras's terms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from parity.reference.layers.windowed import padding, pooling
from torch_impl.capture.read import windowed
from torch_impl.capture.read.layout import Layout
from torch_impl.capture.read.modules import config_of
from torch_impl.capture.read.registry import Function, FunctionReader, Layouts, function


def pool(module: Callable[..., nn.Module]) -> FunctionReader:
    """A pool of windows, by the module that does the same."""

    def read(_: Any, x: Tensor, *args: Any, **kwargs: Any) -> Function:
        return Function(config_of(module(*args, **kwargs), x.shape), (x,), spatial=True)

    return read


def global_pool(kind: type[pooling.GlobalMaxPooling]) -> FunctionReader:
    """A reduction over all of space."""

    def read(
        layouts: Layouts, x: Tensor, dim: Any = None, keepdim: bool = False, **_: Any
    ) -> Function | None:
        """A mean or a maximum over all axes of space is a global pool."""
        layout = layouts[0]
        if layout is None or dim is None or any(one != 1 for one in layout.merged):
            return None
        several = dim if isinstance(dim, (tuple, list)) else [dim]
        if {layout.axes[one % x.ndim] for one in several} != set(range(1, x.ndim - 1)):
            return None
        return Function(kind(rank=x.ndim - 2, keepdims=keepdim), (x,))

    return read


@function("pad")
def _pad(
    layouts: Layouts, x: Tensor, pad: Any, mode: str = "constant", value: Any = None
) -> Function | None:
    """``F.pad`` with zeros; less than none crops."""
    pairs = list(zip(pad[::2], pad[1::2], strict=True))[::-1]
    own = [(0, 0)] * (x.ndim - len(pairs)) + pairs
    if mode != "constant" or value:
        return None
    return _space(layouts[0], x, [(int(before), int(after)) for before, after in own])


def _space(layout: Layout | None, x: Tensor, sides: list[tuple[int, int]]) -> Function | None:
    """A layer that lengthens or shortens the axes of space."""
    if layout is None or any(one != 1 for one in layout.merged) or x.ndim < 3:
        return None
    canonical = dict(zip(layout.axes, sides, strict=True))
    if any(canonical[0]) or any(canonical[x.ndim - 1]):
        return None
    around = tuple(canonical[axis] for axis in range(1, x.ndim - 1))
    config = windowed.around(around) if any(map(any, around)) else None
    return Function(config, (x,)) if config else None


@function("__getitem__")
def _slice(layouts: Layouts, x: Tensor, index: Any) -> Function | None:
    """Slices that leave out the outermost entries."""
    index = index if isinstance(index, tuple) else (index,)
    if Ellipsis in [one for one in index if not isinstance(one, Tensor)]:
        place = index.index(Ellipsis)
        gap = x.ndim - len(index) + 1
        index = (*index[:place], *(slice(None),) * gap, *index[place + 1 :])
    if any(not isinstance(one, slice) or one.step not in (None, 1) for one in index):
        return None
    sides = [(0, 0)] * x.ndim
    for axis, one in enumerate(index):
        start, stop, _ = one.indices(x.shape[axis])
        sides[axis] = (-start, stop - x.shape[axis])
    return _space(layouts[0], x, sides)


@function("narrow")
def _narrow(layouts: Layouts, x: Tensor, dim: int, start: int, length: int) -> Function | None:
    """The same along one axis."""
    sides = [(0, 0)] * x.ndim
    sides[dim] = (-start, start + length - x.shape[dim])
    return _space(layouts[0], x, sides)


@function("repeat_interleave")
def _repeat(layouts: Layouts, x: Tensor, repeats: Any, dim: Any = None) -> Function | None:
    """Each entry of one axis so many times."""
    layout = layouts[0] or Layout.plain(x.shape)
    if not isinstance(repeats, int) or dim is None or any(one != 1 for one in layout.merged):
        return None
    axis = layout.axes[dim % x.ndim]
    if x.ndim < 3 or not 0 < axis < x.ndim - 1:
        return None
    size = tuple(repeats if place == axis else 1 for place in range(1, x.ndim - 1))
    return Function(padding.UpSampling(size=size), (x,))


@function("interpolate")
def _interpolate(
    _: Any,
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: Any = None,
    recompute_scale_factor: Any = None,
    antialias: bool = False,
) -> Function:
    """Images of another size."""
    config = windowed.resized(input.shape, size, scale_factor, mode, align_corners, antialias)
    return Function(config, (input,), spatial=True)


for _rank in (1, 2, 3):
    for _name in ("Max", "Avg"):
        for _prefix in ("", "Adaptive"):
            _module = getattr(nn, f"{_prefix}{_name}Pool{_rank}d")
            _short = f"{_prefix.lower()}_{_name.lower()}_pool{_rank}d".lstrip("_")
            function(_short)(pool(_module))

function("mean")(global_pool(pooling.GlobalAveragePooling))
function("amax")(global_pool(pooling.GlobalMaxPooling))
