"""Watching a PyTorch model run: every module and function that is a layer, with its tensors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from parity.pairs.calls import Call, Run
from torch_impl.capture import functions, modules, weights
from torch_impl.capture.layout import Layout
from torch_impl.network import to_numpy
from torch_impl.weights import Place


@dataclass(frozen=True)
class Followed:
    """A tensor that was seen: how it lies, and the call that it comes from."""

    tensor: Tensor  # kept, or its id would be another's
    layout: Layout | None
    source: int | None


@dataclass(frozen=True)
class Made:
    """What it takes to make a call again: the module or function, and how its tensors lie."""

    target: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    places: tuple[int, ...]  # of the inputs among the arguments
    layouts: tuple[Layout, ...]
    output: Layout


class Watch(TorchFunctionMode):
    """While it is entered, the model's calls are written down."""

    def __init__(self, model: nn.Module, given: Mapping[int, np.ndarray]) -> None:
        super().__init__()
        self.given = given
        self.model = model
        self.names = {module: name for name, module in model.named_modules()}
        self.calls: list[Call] = []
        self.made: list[Made] = []
        self.followed: dict[int, Followed] = {}
        self.within = 0
        self.path: list[str] = []

    def feed(self, inputs: Sequence[Tensor], layouts: Sequence[Layout]) -> None:
        """The model's own inputs."""
        for number, (tensor, layout) in enumerate(zip(inputs, layouts, strict=True)):
            self.followed[id(tensor)] = Followed(tensor, layout, -1 - number)

    @contextlib.contextmanager
    def modules(self) -> Iterator[None]:
        """Every module told when it is called."""
        changed = []
        for module, name in self.names.items():
            if module is not self.model or modules.known(module):
                changed.append(module)
                module.forward = self._watched(module, name)
        try:
            yield
        finally:
            for module in changed:
                del module.forward

    def _watched(self, module: nn.Module, name: str) -> Any:
        forward = module.forward

        def call(*args: Any, **kwargs: Any) -> Any:
            if self.within:
                return forward(*args, **kwargs)
            if not modules.known(module):
                self.path.append(name)
                try:
                    return forward(*args, **kwargs)
                finally:
                    self.path.pop()
            places = tuple(n for n, arg in enumerate(args) if isinstance(arg, Tensor))
            first = modules.spatial(module)
            turned = isinstance(module, nn.RNNBase) and not module.batch_first
            self.within += 1
            try:
                before = self._taken(args, places, first, turned)
                out = forward(*args, **kwargs)
                config = modules.config_of(module)
                made = (module, args, kwargs, places)
                kind = type(module).__name__
                return self._note(name or kind, kind, config, made, before, out, first)
            finally:
                self.within -= 1

        return call

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if self.within:
            return func(*args, **kwargs)
        tensors = [arg for arg in _flat(args) if isinstance(arg, Tensor)]
        layouts = [self._layout(tensor) for tensor in tensors]
        layer = functions.layer_of(func, args, kwargs, layouts) if tensors else None
        if layer is None:
            out = func(*args, **kwargs)
            if isinstance(out, Tensor) and tensors:
                self._follow(func, args, tensors, out)
            return out
        places = tuple(
            number
            for number, arg in enumerate(_flat(args))
            if any(arg is one for one in layer.inputs)
        )
        before = self._taken(_flat(args), places, layer.spatial)
        out = func(*args, **kwargs)
        name = ".".join(filter(None, (*self.path[-1:], func.__name__.strip("_"))))
        made = (func, args, kwargs, places)
        return self._note(name, func.__name__, layer.config, made, before, out, layer.spatial)

    def _layout(self, tensor: Tensor) -> Layout | None:
        found = self.followed.get(id(tensor))
        return found.layout if found else None

    def _follow(self, func: Any, args: tuple[Any, ...], tensors: list[Tensor], out: Tensor) -> None:
        """What is no layer: a view keeps the layout, or changes it as it says."""
        known = [self.followed[id(one)] for one in tensors if id(one) in self.followed]
        if not known:
            return
        first = known[0]
        layout = first.layout and functions.moved(func, first.layout, args, out)
        self.followed[id(out)] = Followed(out, layout, first.source)

    def _taken(
        self, args: Sequence[Any], places: Sequence[int], spatial: bool, turned: bool = False
    ) -> tuple[tuple[np.ndarray, ...], tuple[Layout, ...], tuple[int | None, ...]]:
        """The inputs as they are now (the call may change them), their layouts and sources."""
        tensors = [args[place] for place in places]
        layouts = tuple(self._lies(one, spatial, turned) for one in tensors)
        arrays = tuple(
            to_numpy(layout.to_canonical(one.detach())).copy()
            for one, layout in zip(tensors, layouts, strict=True)
        )
        found = [self.followed.get(id(one)) for one in tensors]
        return arrays, layouts, tuple(one.source if one else None for one in found)

    def _lies(self, tensor: Tensor, spatial: bool, turned: bool) -> Layout:
        """As the layer takes it, whatever it is: channels first, or steps first."""
        if spatial and tensor.ndim > 2:
            return Layout.channels_first(tuple(tensor.shape))
        if turned and tensor.ndim == 3:
            return Layout((1, 0, 2), tuple(tensor.shape), (1, 1, 1))
        return self._layout(tensor) or Layout.plain(tuple(tensor.shape))

    def _note(
        self,
        name: str,
        kind: str,
        config: Any,
        made: tuple[Any, tuple[Any, ...], dict[str, Any], tuple[int, ...]],
        before: tuple[tuple[np.ndarray, ...], tuple[Layout, ...], tuple[int | None, ...]],
        out: Any,
        spatial: bool,
    ) -> Any:
        """Write the call down; follow what came out of it, or what is given in its place."""
        arrays, layouts, sources = before
        first = next((one for one in _flat((out,)) if isinstance(one, Tensor)), None)
        if first is None:
            return out
        layout = _after(layouts, first, spatial, made[0])
        number = len(self.calls)
        output = to_numpy(layout.to_canonical(first.detach())).copy()
        if number in self.given:
            value = torch.as_tensor(self.given[number], device=first.device).to(first.dtype)
            first = layout.from_canonical(value).contiguous()
            out = _in_place_of(out, first, value)
        for tensor in _flat((out,)):
            if isinstance(tensor, Tensor):
                own = layout if tensor is first else Layout.plain(tensor.shape)
                self.followed[id(tensor)] = Followed(tensor, own, number)
        self.made.append(Made(*made, layouts, layout))
        places = weights.of_module(made[0], layouts) if isinstance(made[0], nn.Module) else {}
        self.calls.append(
            Call(
                number=number,
                name=name,
                kind=kind,
                config=config,
                weights={key: _value(place) for key, place in places.items()},
                inputs=arrays,
                output=output,
                sources=sources,
            )
        )
        return out

    def layout_of(self, tensor: Tensor, spatial: bool = False) -> Layout:
        """How a tensor lies; canonically where that is not known."""
        return self._lies(tensor, spatial, False)

    def run_of(self, out: Any) -> Run:
        """The calls so far, and the model's outputs."""
        outputs, sources = {}, {}
        for name, tensor in named_outputs(out):
            layout = self._layout(tensor) or Layout.plain(tensor.shape)
            outputs[name] = to_numpy(layout.to_canonical(tensor.detach())).copy()
            found = self.followed.get(id(tensor))
            sources[name] = found.source if found else None
        return Run(calls=self.calls, outputs=outputs, sources=sources)


def _in_place_of(out: Any, first: Tensor, canonical: Tensor) -> Any:
    """An output with its first tensor replaced, and a recurrent layer's last state with it."""
    if isinstance(out, Tensor):
        return first
    state = out[1] if len(out) > 1 else None
    last = canonical[:, -1] if canonical.ndim == 3 else None
    if isinstance(state, Tensor) and last is not None and state.shape == (1, *last.shape):
        return (first, last[None], *out[2:])
    if isinstance(state, tuple) and last is not None and state[0].shape == (1, *last.shape):
        return (first, (last[None], *state[1:]), *out[2:])
    return (first, *out[1:])


def _value(place: Place) -> np.ndarray:
    with torch.no_grad():
        return to_numpy(place.to_canonical(*place.tensors)).copy()


def _after(layouts: Sequence[Layout], out: Tensor, spatial: bool, target: Any) -> Layout:
    """How a layer's output lies."""
    if spatial and out.ndim > 2:
        return Layout.channels_first(out.shape)
    if not layouts:
        return Layout.plain(out.shape)
    layout = layouts[0]
    if isinstance(target, nn.Flatten):
        return layout.reshaped(out.shape) or Layout.plain(out.shape)
    if tuple(out.shape) == layout.shape:
        return layout
    if isinstance(target, (nn.Linear, nn.RNNBase)):
        return layout.with_last(out.shape[-1])
    if out.ndim == len(layout.merged) and sorted(layout.axes) == list(range(out.ndim)):
        return Layout(layout.axes, tuple(out.shape), layout.merged)
    return Layout.plain(out.shape)


def named_outputs(out: Any, name: str = "output") -> list[tuple[str, Tensor]]:
    """The tensors of a model's output by place: ``output``, ``output/1``, ``output/logits``.

    Raises:
        TypeError: there is something else in it.
    """
    if isinstance(out, Tensor):
        return [(name, out)]
    if isinstance(out, dict) or hasattr(out, "keys"):
        parts = [(str(key), out[key]) for key in out.keys()]  # noqa: SIM118
    elif isinstance(out, (tuple, list)):
        parts = [(str(number), one) for number, one in enumerate(out)]
    else:
        raise TypeError(f"{name}: received {type(out).__name__}, accepted: tensors")
    if len(parts) == 1:
        return named_outputs(parts[0][1], name)
    return [pair for key, one in parts for pair in named_outputs(one, f"{name}/{key}")]


def _flat(values: Sequence[Any]) -> list[Any]:
    """Lists and tuples of tensors taken apart."""
    return [
        one
        for value in values
        for one in (_flat(value) if isinstance(value, (tuple, list)) else [value])
    ]


def again(made: Made, inputs: Sequence[np.ndarray]) -> np.ndarray:
    """What a call gives for other inputs (canonical, as the result)."""
    flat = _flat(made.args)
    with torch.no_grad():
        for place, layout, value in zip(made.places, made.layouts, inputs, strict=True):
            like = flat[place]
            given = torch.as_tensor(value, device=like.device).to(like.dtype)
            own = Layout(layout.axes, layout.sizes, layout.merged)
            flat[place] = own.from_canonical(given).contiguous()
        args = _packed(made.args, iter(flat))
        out = made.target(*args, **made.kwargs)
    first = next(one for one in _flat((out,)) if isinstance(one, Tensor))
    return to_numpy(made.output.to_canonical(first)).copy()


def _packed(like: Sequence[Any], values: Iterator[Any]) -> tuple[Any, ...]:
    """Flat values in the shape of ``like``."""
    return tuple(
        _packed(one, values) if isinstance(one, (tuple, list)) else next(values) for one in like
    )
