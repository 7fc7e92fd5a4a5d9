"""The calls of a running PyTorch model, and which tensors come from which call."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from parity.adapters.calls import Call, Run, Weights
from parity.adapters.nesting import flat
from torch_impl.capture.read import functions, recurrent
from torch_impl.capture.read.layout import Layout
from torch_impl.capture.trace.nesting import named_outputs, with_first
from torch_impl.capture.trace.replay import Invocation
from torch_impl.ladder.network import to_numpy
from torch_impl.ladder.weights import Place
from torch_impl.private_api import storage_of, version_of


@dataclass(frozen=True)
class Followed:
    """A tensor that was seen: its layout, and the call that it comes from."""

    tensor: Tensor  # kept, or its id would be another's
    layout: Layout | None
    source: int | None
    output: str = ""  # of a recurrent call: which of its outputs this is
    names: Layout | None = None  # of the axes, where a layer has taken another for channels
    through: tuple[str, ...] = ()  # functions that are no layers, and have had it since its call


@dataclass(frozen=True)
class Taken:
    """The inputs of a call as they were before it, which may change them."""

    arrays: tuple[np.ndarray, ...]
    layouts: tuple[Layout, ...]
    sources: tuple[int | None, ...]
    names: Layout | None = None  # see Followed; so is the next, of the first input
    through: tuple[str, ...] = ()


@dataclass(frozen=True)
class Seen:
    """The array of a tensor, and how often the tensor had been written into by then."""

    tensor: Tensor  # kept, or its id would be another's
    version: int
    array: np.ndarray


@dataclass(frozen=True)
class FunctionCall:
    """A call of a PyTorch function while a model runs."""

    function: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    tensors: list[Tensor]  # among the arguments

    @property
    def name(self) -> str:
        """The function's name, see :func:`functions.name_of`."""
        return functions.name_of(self.function)

    def run(self) -> Any:
        """What the function returns."""
        return self.function(*self.args, **self.kwargs)


UNREAD = object()
"""Returned by an interpreter that leaves a function call to the next one."""


class Trace(TorchFunctionMode):
    """The calls so far, and which tensors come from which."""

    def __init__(
        self,
        model: nn.Module,
        substitutes: Mapping[int, np.ndarray],
        copies: bool = False,
        same_as_kind: dict[nn.Module, bool] | None = None,
    ) -> None:
        """Watch the model.

        Args:
            model: that is called.
            substitutes: number of a call to the substitute for its output.
            copies: whether arrays are copies of the tensors: what the model writes into needs it.
            same_as_kind: modules with an overridden forward pass, and whether that gives what
                PyTorch's class gives; found out once.
        """
        super().__init__()
        self.copies = copies
        self.same_as_kind = {} if same_as_kind is None else same_as_kind
        self.seen: dict[tuple[int, Layout], Seen] = {}
        self.stale = False  # whether an array of those, or of earlier ones, has changed
        self.substitutes = substitutes
        self.model = model
        self.names = {module: name for name, module in model.named_modules()}
        self.owned = {
            storage_of(one): (name, one)
            for name, one in (*model.named_buffers(), *model.named_parameters())
            if one.is_floating_point() and storage_of(one) is not None
        }
        self.calls: list[Call] = []
        self.made: list[Invocation] = []
        self.followed: dict[int, Followed] = {}
        self.recurrent: dict[int, recurrent.Outputs] = {}
        self.gave: dict[int, recurrent.Outputs] = {}  # without substitutes
        self.stacked: dict[nn.Module, list[Any]] = {}
        self.steps: dict[int, int] = {}  # of what was packed
        self.begun: dict[int, Any] = {}  # of what several functions are together
        self.native_flatten = False  # whether Keras flattens channels-first maps as they are
        self.within = 0
        self.path: list[nn.Module] = []

    def feed(self, inputs: Sequence[Tensor], layouts: Sequence[Layout]) -> None:
        """The model's own inputs."""
        for number, (tensor, layout) in enumerate(zip(inputs, layouts, strict=True)):
            self.followed[id(tensor)] = Followed(tensor, layout, -1 - number)

    @contextlib.contextmanager
    def unwatched(self) -> Iterator[None]:
        """Record no call meanwhile."""
        self.within += 1
        try:
            yield
        finally:
            self.within -= 1

    def use(self, tensors: Sequence[Any]) -> None:
        """A layer takes them: of a recurrent call, that output is used."""
        for one in tensors:
            found = self.followed.get(id(one))
            if found is not None and found.output and found.source in self.recurrent:
                used = self.recurrent[found.source].used
                used.add(found.output if found.output in ("last", "step") else "steps")

    def substitute(self, number: int, out: Tensor, layout: Layout) -> Tensor:
        """The substitute for a call's output; the output itself if there is none."""
        if number not in self.substitutes:
            return out
        value = torch.tensor(self.substitutes[number], device=out.device, dtype=out.dtype)
        value = layout.from_canonical(value).contiguous()
        self.followed[id(value)] = replace(self.followed[id(out)], tensor=value)
        self.made[number].result = value
        return value

    def agree(self, inputs: Sequence[Tensor]) -> None:
        """Inputs combined entry by entry share a layout: an unknown one takes the other's."""
        known = [self.layout(one) for one in inputs]
        like = next((one for one in known if one), None)
        for tensor, own in zip(inputs, known, strict=True):
            if own is not None or like is None:
                continue
            shape = tuple(tensor.shape)
            layout = like if shape == like.shape else like.resized(shape)
            if layout is not None:
                found = self.followed.get(id(tensor))
                self.followed[id(tensor)] = Followed(
                    tensor, layout, found.source if found else None
                )

    def layout(self, tensor: Tensor) -> Layout | None:
        """The layout of a tensor; None if it is unknown."""
        found = self.followed.get(id(tensor))
        return found.layout if found else None

    def follow(
        self,
        func: Any,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        tensors: list[Tensor],
        out: Any,
    ) -> None:
        """Follow the results of a function that is no layer, and how it changes the layout."""
        known = [self.followed[id(one)] for one in tensors if id(one) in self.followed]
        if not known:
            return
        first = known[0]
        for one in flat((out,)):
            if isinstance(one, Tensor) and id(one) not in self.followed:
                layout = first.layout and functions.moved(func, first.layout, args, kwargs, one)
                layout = layout and self._flattened(layout)
                names = first.names and functions.moved(func, first.names, args, kwargs, one)
                if first.names and functions.name_of(func) in functions.TURNS:
                    layout, names = names, None
                through = _through(first, functions.name_of(func), one)
                self.followed[id(one)] = Followed(
                    one, layout, first.source, names=names, through=through
                )

    def _flattened(self, layout: Layout) -> Layout:
        """A layout with merged axes, in relation to Keras's."""
        merged = self.native_flatten and max(layout.merged, default=1) > 1
        return Layout.plain(layout.shape) if merged else layout

    def taken(
        self,
        args: Sequence[Any],
        places: Sequence[int],
        spatial: bool,
        steps_first: bool = False,
        along: bool = False,
    ) -> Taken:
        """The inputs of a call, before it is made."""
        tensors = [args[place] for place in places]
        layouts = tuple(self._input_layout(one, spatial, steps_first, along) for one in tensors)
        arrays = tuple(
            self.array(one, layout) for one, layout in zip(tensors, layouts, strict=True)
        )
        found = [self.followed.get(id(one)) for one in tensors]
        first = found[0] if found else None
        names = first.names if first else None
        if first and along and first.layout and first.layout.elsewhere:
            names = first.layout
        sources = tuple(one.source if one else None for one in found)
        return Taken(arrays, layouts, sources, names, first.through if first else ())

    def _input_layout(
        self, tensor: Tensor, spatial: bool, steps_first: bool, along: bool
    ) -> Layout:
        """As the layer takes it, whatever it is: channels first, steps first, or along the last."""
        if spatial and tensor.ndim > 2:
            return Layout.channels_first(tuple(tensor.shape))
        if steps_first and tensor.ndim == 3:
            return Layout((1, 0, 2), tuple(tensor.shape), (1, 1, 1))
        layout = self.layout(tensor)
        if along and layout is not None and layout.elsewhere:
            return Layout.plain(tuple(tensor.shape))
        return self.layout(tensor) or Layout.plain(tuple(tensor.shape))

    def note(
        self,
        name: str,
        kind: str,
        config: Any,
        made: Invocation,
        before: Taken,
        out: Any,
        spatial: bool,
        options: Mapping[str, Any] | None = None,
    ) -> Any:
        """Record the call and follow its output; return the output or the substitute for it."""
        first = next((one for one in flat((out,)) if isinstance(one, Tensor)), None)
        if first is None:
            return out
        with self.unwatched():
            layout = _after(before.layouts, first, spatial, made.like or made.target, config)
            layout = self._flattened(layout)
            made.layouts, made.output, made.result = before.layouts, layout, first
            made.own = first.detach()
            self.made.append(made)
            number = len(self.calls)
            self.write(name, kind, config, before, self.array(first, layout), options)
            for tensor in flat((out,)):
                if isinstance(tensor, Tensor):
                    own = layout if tensor is first else Layout.plain(tensor.shape)
                    names = before.names if tensor is first else None
                    if names is not None and tensor.ndim == len(names.axes):
                        names = Layout(names.axes, tuple(tensor.shape), names.merged)
                    self.followed[id(tensor)] = Followed(tensor, own, number, names=names)
            value = self.substitute(number, first, layout)
        return out if value is first else with_first(out, value)

    def write(
        self,
        name: str,
        kind: str,
        config: Any,
        before: Taken,
        output: np.ndarray,
        options: Mapping[str, Any] | None,
    ) -> None:
        """Add a call to the calls so far."""
        self.calls.append(
            Call(
                number=len(self.calls),
                name=name,
                kind=kind,
                config=config,
                weights=Weights(self.made[-1].weights, value_of),
                inputs=before.arrays,
                output=output,
                sources=before.sources,
                through=before.through,
                options=options or {},
            )
        )

    def array(self, tensor: Tensor, layout: Layout) -> np.ndarray:
        """The canonical values of a tensor as they are now, each once; see :meth:`rewritten`."""
        with self.unwatched():
            version = version_of(tensor)
            found = self.seen.get((id(tensor), layout))
            if found is None or found.version != version or version < 0:
                self.stale |= self._stale(found)
                strided = tensor.layout is torch.strided
                own = layout.to_canonical(tensor.detach() if strided else tensor.to_dense())
                copies = self.copies or version < 0
                array = to_numpy(own) if copies else np.asarray(own.cpu().numpy())
                found = self.seen[id(tensor), layout] = Seen(tensor, version, array)
            return found.array

    def rewritten(self) -> bool:
        """Whether the model wrote into tensors whose arrays are no copies."""
        return not self.copies and (self.stale or any(map(self._stale, self.seen.values())))

    def _stale(self, seen: Seen | None) -> bool:
        return seen is not None and seen.version not in (-1, version_of(seen.tensor))

    def layout_of(self, tensor: Tensor, spatial: bool = False) -> Layout:
        """The layout of a tensor; the canonical one if it is unknown."""
        return self._input_layout(tensor, spatial, False, False)

    def output_layout(self, tensor: Tensor) -> Layout:
        """The layout of a model's output, see :meth:`Layout.as_output`."""
        return self.layout_of(tensor).as_output()

    def run_of(self, out: Any) -> Run:
        """The calls so far, and the model's outputs."""
        outputs, sources, native_layout, through = {}, {}, {}, {}
        for name, tensor in named_outputs(out):
            self.use([tensor])
            layout = self.output_layout(tensor)
            outputs[name] = to_numpy(layout.to_canonical(tensor))
            if not layout.canonical:
                native_layout[name] = to_numpy(tensor)
            found = self.followed.get(id(tensor))
            sources[name] = found.source if found else None
            through[name] = found.through if found else ()
        for number, own in self.recurrent.items():
            call = self.calls[number]
            call.output = to_numpy(self.gave[number].output(own.chosen))
            call.config = call.config and own.of_config(call.config)
            if own.chosen == "step":
                call.options = {**call.options, "last_step": True}
        return Run(
            calls=self.calls,
            outputs=outputs,
            sources=sources,
            native_layout=native_layout,
            through=through,
        )


def _through(before: Followed, name: str, out: Tensor) -> tuple[str, ...]:
    """The last functions that have changed a tensor's values; a view has not."""
    own = storage_of(out)
    same = own is not None and own == storage_of(before.tensor)
    return before.through if same and not name.endswith("_") else (*before.through[-3:], name)


def value_of(place: Place) -> np.ndarray:
    """The canonical array that is there, a view of it where that can be."""
    with torch.no_grad():
        return np.asarray(place.to_canonical(*place.tensors).detach().cpu().numpy())


def _after(
    layouts: Sequence[Layout], out: Tensor, spatial: bool, target: Any, config: Any
) -> Layout:
    """The layout of a layer's output."""
    if spatial and out.ndim > 2:
        return Layout.channels_first(out.shape)
    if not layouts:
        return Layout.plain(out.shape)
    layout = layouts[0]
    if isinstance(target, nn.Flatten):
        return layout.reshaped(out.shape) or Layout.plain(out.shape)
    if tuple(out.shape) == layout.shape:
        return layout
    if isinstance(target, nn.Linear):
        return layout.with_last(out.shape[-1])
    if out.ndim == len(layout.merged) == len(layout.axes):
        return Layout(layout.axes, tuple(out.shape), layout.merged)
    return Layout.plain(out.shape)
