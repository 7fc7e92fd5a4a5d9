"""Watching a PyTorch model run: every module and function that is a layer, with its tensors."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from parity.layers import dense, merging
from parity.pairs.calls import Call, Run
from torch_impl.capture import attention, functions, modules, parameters, recurrent, weights
from torch_impl.capture.layout import Layout
from torch_impl.capture.outputs import flat, named_outputs, with_first
from torch_impl.capture.replaying import Made, again
from torch_impl.network import to_numpy
from torch_impl.weights import Place, same

__all__ = ["Made", "Watch", "again", "named_outputs"]


@dataclass(frozen=True)
class Followed:
    """A tensor that was seen: how it lies, and the call that it comes from."""

    tensor: Tensor  # kept, or its id would be another's
    layout: Layout | None
    source: int | None
    output: str = ""  # of a recurrent call: which of its outputs this is
    names: Layout | None = None  # of the axes, where a layer has taken another for channels


@dataclass(frozen=True)
class Taken:
    """The inputs of a call as they were before it, which may change them."""

    arrays: tuple[np.ndarray, ...]
    layouts: tuple[Layout, ...]
    sources: tuple[int | None, ...]
    names: Layout | None = None  # see Followed


class Watch(TorchFunctionMode):
    """While it is entered, the model's calls are written down."""

    def __init__(self, model: nn.Module, given: Mapping[int, np.ndarray]) -> None:
        super().__init__()
        self.given = given
        self.model = model
        self.names = {module: name for name, module in model.named_modules()}
        self.owned = {
            one.untyped_storage().data_ptr(): (name, one)
            for name, one in (*model.named_buffers(), *model.named_parameters())
        }
        self.calls: list[Call] = []
        self.made: list[Made] = []
        self.followed: dict[int, Followed] = {}
        self.recurrent: dict[int, recurrent.Outputs] = {}
        self.stacked: dict[nn.Module, list[Any]] = {}
        self.steps: dict[int, int] = {}  # of what was packed
        self.within = 0
        self.path: list[nn.Module] = []

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

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """What is called meanwhile is not written down."""
        self.within += 1
        try:
            yield
        finally:
            self.within -= 1

    def _watched(self, module: nn.Module, name: str) -> Any:
        forward = module.forward

        def call(*args: Any, **kwargs: Any) -> Any:
            if self.within:
                return forward(*args, **kwargs)
            if not modules.known(module):
                self.path.append(module)
                try:
                    return forward(*args, **kwargs)
                finally:
                    self.path.pop()
            if any(isinstance(one, Tensor) for one in kwargs.values()):
                bound = inspect.signature(forward).bind(*args, **kwargs)
                args, kwargs = bound.args, bound.kwargs
            self._use(flat(args))
            if isinstance(module, nn.RNNBase) and not module.proj_size:
                return self._recurrent(module, name, forward, *args)
            return self._module(module, name or type(module).__name__, forward, args, kwargs)

        return call

    def _module(
        self,
        module: nn.Module,
        name: str,
        forward: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        options: dict[str, Any] = {}
        values = flat(args)
        places = tuple(n for n, one in enumerate(values) if isinstance(one, Tensor))
        first, attends = modules.spatial(module), isinstance(module, nn.MultiheadAttention)
        turned = attends and not module.batch_first
        if attends:
            with self._alone():
                inputs, options = attention.arguments(module, args, kwargs)
            places = (0, 2, 1)[: len(inputs)]
        along = modules.along_last(module)
        before = self._taken(values, places, first, turned, along)
        with self._alone():
            out = forward(*args, **kwargs)
        shape = tuple(values[places[0]].shape) if places else ()
        config = modules.config_of(module, shape)
        own = weights.of_module(module, before.layouts)
        made = Made(module, args, kwargs, places, weights=own)
        kind = type(module).__name__
        return self._note(name, kind, config, made, before, out, first, options)

    def _recurrent(
        self, module: Any, name: str, forward: Any, given: Any, hx: Any = None
    ) -> tuple[Any, Any]:
        """One call for each of the layers that the module is made of."""
        if module.num_layers == 1:
            return self._layer(module, name, forward, given, hx)
        if module not in self.stacked:
            with self._alone():
                self.stacked[module] = recurrent.layers(module)
        states, runs = [], 1 + module.bidirectional
        for number, layer in enumerate(self.stacked[module]):
            rows = slice(number * runs, (number + 1) * runs)
            with self._alone():
                own = (
                    hx
                    if hx is None
                    else tuple(one[rows] for one in hx)
                    if isinstance(hx, tuple)
                    else hx[rows]
                )
            given, state = self._layer(layer, f"{name}.{number}", layer.forward, given, own)
            states.append(state)
            if module.dropout and number < module.num_layers - 1 and isinstance(given, Tensor):
                given = F.dropout(given, module.dropout, module.training)
            if number < module.num_layers - 1:
                self._use(flat([given]))
        with self._alone():
            if isinstance(module, nn.LSTM):
                h, c = (torch.cat(parts) for parts in zip(*states, strict=True))
                self._of_call(h, len(self.calls) - 1, "states")
                self._of_call(c, len(self.calls) - 1, "cells")
                return given, (h, c)
            h = torch.cat(states)
            self._of_call(h, len(self.calls) - 1, "states")
        return given, h

    def _layer(self, module: Any, name: str, forward: Any, given: Any, hx: Any) -> Any:
        number = len(self.calls)
        source = given.data if isinstance(given, nn.utils.rnn.PackedSequence) else given
        with self._alone():
            total = self.steps.get(id(source))
            sequences = recurrent.Sequences.of(given, module.batch_first, total)
            array = to_numpy(sequences.x.detach()).copy()
            out, own = recurrent.run(module, given, hx, forward, total)
            if number in self.given:
                value = torch.tensor(self.given[number], dtype=own.steps.dtype)
                out, own = recurrent.replaced(module, sequences, out, own, value)
        found = self.followed.get(id(source))
        layout = Layout.plain(sequences.x.shape)
        before = Taken((array,), (layout,), (found.source if found else None,))
        self.recurrent[number] = own
        steps = out[0].data if isinstance(out[0], nn.utils.rnn.PackedSequence) else out[0]
        parts = out[1] if isinstance(out[1], tuple) else (out[1],)
        for tensor, what in zip((steps, *parts), ("steps", "states", "cells"), strict=False):
            self._of_call(tensor, number, what)
        if not module.batch_first and steps is out[0]:
            turned = Layout((1, 0, 2), tuple(steps.shape), (1, 1, 1))
            self.followed[id(steps)] = Followed(steps, turned, number, "steps")

        def replay(x: Tensor) -> Tensor:
            with torch.no_grad():
                _, again = recurrent.run(
                    module, sequences.as_given(x, module.batch_first), hx, forward, total
                )
            return again.output(own.chosen)

        with self._alone():
            config = None if hx is not None and _nonzero(hx) else modules.config_of(module)
            places = weights.of_module(module, (layout,))
        self.made.append(
            Made(module, (given,), {}, (0,), (layout,), Layout.plain(()), places, replay)
        )
        self._write(name, type(module).__name__, config, before, own.steps, sequences.options)
        return out

    def _of_call(self, tensor: Tensor, number: int, what: str) -> None:
        layout = Layout.plain(tensor.shape) if what == "steps" else None
        self.followed[id(tensor)] = Followed(tensor, layout, number, what)

    def _use(self, tensors: Sequence[Any]) -> None:
        """A layer takes them: of a recurrent call, that output is used."""
        for one in tensors:
            found = self.followed.get(id(one))
            if found is not None and found.output and found.source in self.recurrent:
                used = self.recurrent[found.source].used
                used.add(found.output if found.output in ("last", "step") else "steps")

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if self.within:
            return func(*args, **kwargs)
        tensors = [one for one in flat((args, *kwargs.values())) if isinstance(one, Tensor)]
        moves = functions.name_of(func) in functions.MOVES and self._of_one(tensors)
        if not moves and functions.name_of(func) not in functions.LOOKS:
            self._use(tensors)
        elif moves and self._output(tensors[0]):
            return self._moved(func, args, kwargs, tensors)
        own = [one for one in tensors if self._parameter(one)]
        if own and len(own) < len(tensors):
            return self._with_parameters(func, args, kwargs, own)
        layouts = [self._layout(one) for one in tensors]
        layer = functions.layer_of(func, args, kwargs, layouts) if tensors else None
        if layer is None or (layer.config is None and layer.inputs[0].shape == ()):
            with self._alone():
                out = func(*args, **kwargs)
            averaged = self._averaged(func, args, out)
            if averaged is not None:
                return averaged
            self._follow(func, args, tensors, out)
            if functions.name_of(func) == "_pack_padded_sequence":
                self.steps[id(out[0])] = args[0].shape[1 if args[2] else 0]
            return out
        if isinstance(layer.config, merging.Merging):
            self._agree(layer.inputs)
        values = flat(args)
        places = tuple(n for n, one in enumerate(values) if any(one is x for x in layer.inputs))
        if len(places) < len(layer.inputs):  # given by name
            places = ()
        before = self._taken(
            values if places else layer.inputs, places or range(len(layer.inputs)), layer.spatial
        )
        with self._alone():
            out = func(*args, **kwargs)
        made = Made(func, args, kwargs, places)
        return self._note(
            self._name(func), func.__name__, layer.config, made, before, out, layer.spatial
        )

    def _name(self, func: Any) -> str:
        """Of the module that calls a function, and the function's."""
        names = [self.names.get(one, "") for one in self.path[-1:]]
        if self.path and isinstance(self.path[-1], modules.THIN):
            return names[0]
        return ".".join(filter(None, (*names, functions.name_of(func).strip("_"))))

    def _parameter(self, tensor: Tensor) -> bool:
        return tensor.numel() > 0 and tensor.untyped_storage().data_ptr() in self.owned

    def _of_parameter(self, tensor: Tensor) -> tuple[str, Tensor]:
        name, owner = self.owned[tensor.untyped_storage().data_ptr()]
        return name, owner

    def _with_parameters(
        self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], own: Sequence[Tensor]
    ) -> Any:
        """A function that takes parameters: as the module that does the same, or of no kind."""
        with self._alone():
            merged = self._biased(func, args)
            if merged is not None:
                return merged
            found = parameters.module_of(func, args, kwargs)
        owner = self._of_parameter(own[0])[0]
        if found is not None and any(found[1] is one for one in flat(args)):
            module, x = found
            spatial = modules.spatial(module)
            place = next(n for n, one in enumerate(args) if one is x)
            along = modules.along_last(module)
            before = self._taken(args, (place,), spatial, along=along)
            with self._alone():
                out = func(*args, **kwargs)
            places = weights.of_module(module, before.layouts)
            config = modules.config_of(module, tuple(x.shape))
            made = Made(func, args, kwargs, (place,), weights=places, like=module)
            name = owner.rsplit(".", 1)[0] if owner.endswith((".weight", ".bias")) else owner
            return self._note(name, func.__name__, config, made, before, out, spatial)
        values = flat(args)
        places_ = tuple(
            n
            for n, one in enumerate(values)
            if isinstance(one, Tensor) and not self._parameter(one)
        )
        before = self._taken(values, places_, False)
        with self._alone():
            out = func(*args, **kwargs)
        if not places_ or not isinstance(out, Tensor):
            return out
        named = dict(self._of_parameter(one) for one in own)
        held = {name.rsplit(".", 1)[-1]: same(one) for name, one in named.items()}
        made = Made(func, args, kwargs, places_, weights=held)
        return self._note(owner, func.__name__, None, made, before, out, False)

    def _biased(self, func: Any, args: tuple[Any, ...]) -> Any:
        """A bias added to a product just made is that layer's."""
        if functions.name_of(func) not in ("add", "add_") or not self.calls or len(args) != 2:
            return None
        product, bias = (
            args if isinstance(args[0], Tensor) and not self._parameter(args[0]) else args[::-1]
        )
        last, made = self.calls[-1], self.made[-1]
        found = self.followed.get(id(product))
        plain = isinstance(last.config, dense.Dense) and not last.config.use_bias
        if not (plain and made.like is not None and isinstance(bias, Tensor)):
            return None
        if found is None or found.source != last.number or product is not made.result:
            return None
        if bias.shape != product.shape[-1:]:
            return None
        out = func(*args)
        self.followed[id(out)] = replace(found, tensor=out)
        made.weights["bias"] = same(bias)
        made.after = lambda value: value + bias
        made.result = out
        last.config = replace(last.config, use_bias=True)
        last.weights["bias"] = _value(made.weights["bias"])
        last.output = to_numpy(made.output.to_canonical(out.detach())).copy()
        return self._instead(last.number, out, made.output)

    def _averaged(self, func: Any, args: tuple[Any, ...], out: Any) -> Any:
        """Half of a sum just made is a mean."""
        share = {"div": 0.5, "mul": 2.0}.get(functions.name_of(func))
        if share is None or not self.calls or len(args) != 2 or not isinstance(out, Tensor):
            return None
        last, made = self.calls[-1], self.made[-1]
        if not isinstance(last.config, merging.Add) or args[0] is not made.result:
            return None
        if not isinstance(args[1], (int, float)) or args[1] * share != 1.0:
            return None
        last.config = merging.Average()
        last.kind = "mean"
        made.after = lambda value: value / 2.0
        made.result = out
        last.output = to_numpy(made.output.to_canonical(out.detach())).copy()
        self.followed[id(out)] = Followed(out, made.output, last.number)
        return self._instead(last.number, out, made.output)

    def _instead(self, number: int, out: Tensor, layout: Layout) -> Tensor:
        """What is handed on in place of a call's output, if anything."""
        if number not in self.given:
            return out
        value = torch.tensor(self.given[number], device=out.device, dtype=out.dtype)
        value = layout.from_canonical(value).contiguous()
        self.followed[id(value)] = replace(self.followed[id(out)], tensor=value)
        self.made[number].result = value
        return value

    def _of_one(self, tensors: Sequence[Tensor]) -> bool:
        """Whether all, but for places to look at, come from one recurrent call."""
        known = [self.followed.get(id(one)) for one in tensors if one.is_floating_point()]
        return bool(known) and len({one.source if one else None for one in known}) == 1

    def _output(self, tensor: Tensor) -> str:
        found = self.followed.get(id(tensor))
        return found.output if found else ""

    def _moved(
        self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], tensors: Sequence[Tensor]
    ) -> Any:
        """Entries of a recurrent call's outputs moved about: which of its outputs that is."""
        with self._alone():
            out = func(*args, **kwargs)
        source = next(self.followed[id(one)] for one in tensors if self._output(one))
        outputs = self.recurrent[source.source]  # type: ignore[index]
        for one in flat((out,)):
            if not isinstance(one, Tensor):
                continue
            with self._alone():
                what = outputs.what(one) if source.output != "cells" else "cells"
            layout = source.layout and functions.moved(func, source.layout, args, one)
            if what != "steps" or (
                one.shape == outputs.steps.shape
                and functions.name_of(func) == "_pad_packed_sequence"
            ):
                layout = Layout.plain(one.shape)
            self.followed[id(one)] = Followed(one, layout, source.source, what)
        return out

    def _agree(self, inputs: Sequence[Tensor]) -> None:
        """What is taken entry by entry lies alike: one whose layout is unknown as the other."""
        known = [self._layout(one) for one in inputs]
        like = next((one for one in known if one and all(n == 1 for n in one.merged)), None)
        for tensor, own in zip(inputs, known, strict=True):
            if own is None and like is not None and len(like.merged) == tensor.ndim:
                layout = Layout(like.axes, tuple(tensor.shape), like.merged)
                found = self.followed.get(id(tensor))
                source = found.source if found else None
                self.followed[id(tensor)] = Followed(tensor, layout, source)

    def _layout(self, tensor: Tensor) -> Layout | None:
        found = self.followed.get(id(tensor))
        return found.layout if found else None

    def _follow(self, func: Any, args: tuple[Any, ...], tensors: list[Tensor], out: Any) -> None:
        """What is no layer: a view keeps the layout, or changes it as it says."""
        known = [self.followed[id(one)] for one in tensors if id(one) in self.followed]
        if not known:
            return
        first = known[0]
        for one in flat((out,)):
            if isinstance(one, Tensor) and id(one) not in self.followed:
                layout = first.layout and functions.moved(func, first.layout, args, one)
                names = first.names and functions.moved(func, first.names, args, one)
                if first.names and functions.name_of(func) in functions.TURNS:
                    layout, names = names, None
                self.followed[id(one)] = Followed(one, layout, first.source, names=names)

    def _taken(
        self,
        args: Sequence[Any],
        places: Sequence[int],
        spatial: bool,
        turned: bool = False,
        along: bool = False,
    ) -> Taken:
        tensors = [args[place] for place in places]
        layouts = tuple(self._lies(one, spatial, turned, along) for one in tensors)
        arrays = tuple(
            to_numpy(layout.to_canonical(one.detach())).copy()
            for one, layout in zip(tensors, layouts, strict=True)
        )
        found = [self.followed.get(id(one)) for one in tensors]
        first = found[0] if found else None
        names = first.names if first else None
        if first and along and first.layout and first.layout.elsewhere:
            names = first.layout
        sources = tuple(one.source if one else None for one in found)
        return Taken(arrays, layouts, sources, names)

    def _lies(self, tensor: Tensor, spatial: bool, turned: bool, along: bool) -> Layout:
        """As the layer takes it, whatever it is: channels first, steps first, or along the last."""
        if spatial and tensor.ndim > 2:
            return Layout.channels_first(tuple(tensor.shape))
        if turned and tensor.ndim == 3:
            return Layout((1, 0, 2), tuple(tensor.shape), (1, 1, 1))
        layout = self._layout(tensor)
        if along and layout is not None and layout.elsewhere:
            return Layout.plain(tuple(tensor.shape))
        return self._layout(tensor) or Layout.plain(tuple(tensor.shape))

    def _note(
        self,
        name: str,
        kind: str,
        config: Any,
        made: Made,
        before: Taken,
        out: Any,
        spatial: bool,
        options: Mapping[str, Any] | None = None,
    ) -> Any:
        """Write the call down; follow what came out of it, or what is given in its place."""
        first = next((one for one in flat((out,)) if isinstance(one, Tensor)), None)
        if first is None:
            return out
        with self._alone():
            layout = _after(before.layouts, first, spatial, made.like or made.target, config)
            made.layouts, made.output, made.result = before.layouts, layout, first
            self.made.append(made)
            number = len(self.calls)
            self._write(name, kind, config, before, layout.to_canonical(first.detach()), options)
            for tensor in flat((out,)):
                if isinstance(tensor, Tensor):
                    own = layout if tensor is first else Layout.plain(tensor.shape)
                    names = before.names if tensor is first else None
                    if names is not None and tensor.ndim == len(names.axes):
                        names = Layout(names.axes, tuple(tensor.shape), names.merged)
                    self.followed[id(tensor)] = Followed(tensor, own, number, names=names)
            value = self._instead(number, first, layout)
        return out if value is first else with_first(out, value)

    def _write(
        self,
        name: str,
        kind: str,
        config: Any,
        before: Taken,
        output: Tensor,
        options: Mapping[str, Any] | None,
    ) -> None:
        with self._alone():
            own = {key: _value(place) for key, place in self.made[-1].weights.items()}
            found = to_numpy(output.detach()).copy()
        self.calls.append(
            Call(
                number=len(self.calls),
                name=name,
                kind=kind,
                config=config,
                weights=own,
                inputs=before.arrays,
                output=found,
                sources=before.sources,
                options=options or {},
            )
        )

    def run_of(self, out: Any) -> Run:
        """The calls so far, and the model's outputs."""
        outputs = {}
        for name, tensor in named_outputs(out):
            self._use([tensor])
            layout = self._layout(tensor) or Layout.plain(tensor.shape)
            outputs[name] = to_numpy(layout.to_canonical(tensor.detach())).copy()
        for number, own in self.recurrent.items():
            call = self.calls[number]
            call.output = to_numpy(own.output(own.chosen).detach()).copy()
            call.config = call.config and own.of_config(call.config)
        return Run(calls=self.calls, outputs=outputs)


def _value(place: Place) -> np.ndarray:
    with torch.no_grad():
        return to_numpy(place.to_canonical(*place.tensors)).copy()


def _nonzero(states: Any) -> bool:
    return any(bool((one != 0).any()) for one in flat((states,)))


def _after(
    layouts: Sequence[Layout], out: Tensor, spatial: bool, target: Any, config: Any
) -> Layout:
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
    if isinstance(target, nn.Linear):
        return layout.with_last(out.shape[-1])
    if out.ndim == len(layout.merged) == len(layout.axes):
        return Layout(layout.axes, tuple(out.shape), layout.merged)
    if isinstance(config, merging.Concatenate) and out.ndim == len(layout.merged):
        return _side_by_side(layouts, out)
    return Layout.plain(out.shape)


def _side_by_side(layouts: Sequence[Layout], out: Tensor) -> Layout:
    """Flattened maps next to each other lie in no order that a layout can tell."""
    return Layout.plain(out.shape)
