"""Watching a PyTorch model run: every module and function that is a layer, with its tensors."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from parity.adapters.nesting import flat
from parity.reference.layers import merging
from torch_impl.capture.read import aten, attention, functions, modules, weights
from torch_impl.capture.trace import combined_calls, parameter_calls, recurrent_calls
from torch_impl.capture.trace.nesting import named_outputs
from torch_impl.capture.trace.overridden import computes_the_same
from torch_impl.capture.trace.replay import Invocation, replay
from torch_impl.capture.trace.trace import UNREAD, FunctionCall, Trace
from torch_impl.private_api import PACKED, transformed, vmap_replaced

__all__ = ["Invocation", "Watch", "named_outputs", "replay"]


class Watch(Trace):
    """While it is entered, the model's calls are recorded."""

    @contextlib.contextmanager
    def modules(self) -> Iterator[None]:
        """Report the calls of all modules."""
        changed: list[tuple[nn.Module, Any]] = []
        for module, name in self.names.items():
            if module is not self.model or modules.known(module):
                changed.append((module, vars(module).get("forward")))
                module.forward = self._watched(module, name)
        try:
            with vmap_replaced(self._mapped):
                yield
        finally:
            for module, own in changed:
                if own is None:
                    del module.forward
                else:
                    module.forward = own

    def _mapped(self, original: Any) -> Any:
        """``torch.vmap`` as one function, or as a call of the module that it maps over a batch."""

        def call(func: Any, in_dims: Any, out_dims: Any, *others: Any, **kwargs: Any) -> Any:
            args = others[2:]
            if self.within:
                return original(func, in_dims, out_dims, *others, **kwargs)
            with self.unwatched():
                out = original(func, in_dims, out_dims, *others, **kwargs)
            if func in self.names and (in_dims, out_dims) == (0, 0):
                with contextlib.suppress(Exception):
                    with self.unwatched():
                        same = torch.allclose(out, func(*args, **kwargs), 1e-9, 1e-12)
                    if same:
                        return func(*args, **kwargs)
            tensors = [one for one in flat((args, *kwargs.values())) if isinstance(one, Tensor)]
            self.follow(torch.vmap, args, kwargs, tensors, out)
            return out

        return call

    def _watched(self, module: nn.Module, name: str) -> Any:
        forward, replaced = module.forward, "forward" in vars(module)

        def call(*args: Any, **kwargs: Any) -> Any:
            if self.within or any(map(_transformed, flat((args, *kwargs.values())))):
                return forward(*args, **kwargs)
            known = modules.known(module) and not replaced
            if not known and not self._as_its_kind(module, forward, args, kwargs):
                self.path.append(module)
                try:
                    return forward(*args, **kwargs)
                finally:
                    self.path.pop()
            if any(isinstance(one, Tensor) for one in kwargs.values()):
                bound = inspect.signature(forward).bind(*args, **kwargs)
                args, kwargs = bound.args, bound.kwargs
            self.use(flat(args))
            if isinstance(module, nn.RNNBase) and not module.proj_size:
                return recurrent_calls.recurrent_module(self, module, name, forward, *args)
            return self._module(module, name or type(module).__name__, forward, args, kwargs)

        return call

    def _as_its_kind(
        self, module: nn.Module, forward: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> bool:
        """Whether a forward pass that is overridden gives what PyTorch's class gives."""
        kind = modules.kind_of(module)
        if kind is not None and module not in self.same_as_kind:
            with self.unwatched():
                same = computes_the_same(module, kind, forward, args, kwargs)
            self.same_as_kind[module] = same
        return self.same_as_kind.get(module, False)

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
        steps_first = attends and not module.batch_first
        if attends:
            with self.unwatched():
                inputs, options = attention.arguments(module, args, kwargs)
            places = (0, 2, 1)[: len(inputs)]
        along = modules.along_last(module)
        before = self.taken(values, places, first, steps_first, along)
        with self.unwatched():
            out = forward(*args, **kwargs)
        shape = tuple(values[places[0]].shape) if places else ()
        config = modules.config_of(module, shape)
        own = weights.of_module(module, before.layouts)
        made = Invocation(module, args, kwargs, places, weights=own)
        kind = type(module).__name__
        return self.note(name, kind, config, made, before, out, first, options)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        tensors = [one for one in flat((args, *kwargs.values())) if isinstance(one, Tensor)]
        if self.within or any(map(transformed, tensors)):
            return func(*args, **kwargs)
        call = FunctionCall(*aten.as_function(func, args, kwargs), tensors)
        for interpret in INTERPRETERS:
            out = interpret(self, call)
            if out is not UNREAD:
                break
        return out


def _transformed(value: Any) -> bool:
    return isinstance(value, Tensor) and transformed(value)


def layer_function(trace: Trace, call: FunctionCall) -> Any:
    """Interpreter of functions that are a layer in Keras, by themselves or with those before."""
    func, args, kwargs = call.function, call.args, call.kwargs
    layer = combined_calls.completed(trace, func, args, kwargs)
    if layer is None and call.tensors:
        layouts = [trace.layout(one) for one in call.tensors]
        layer = functions.layer_of(func, args, kwargs, layouts)
    if layer is None or (layer.config is None and layer.inputs[0].shape == ()):
        return UNREAD
    if isinstance(layer.config, merging.Merging):
        trace.agree(layer.inputs)
    values = flat(args)
    places = tuple(n for n, one in enumerate(values) if any(one is x for x in layer.inputs))
    made = Invocation(func, args, kwargs, places)
    if layer.target is not None:
        made = Invocation(layer.target, layer.inputs, {}, tuple(range(len(layer.inputs))))
    elif not places:
        made = _by_place(func, args, kwargs, layer.inputs)
    before = trace.taken(flat(made.args), made.places, layer.spatial)
    with trace.unwatched():
        out = call.run()
    name = _name(trace, call)
    return trace.note(name, func.__name__, layer.config, made, before, out, layer.spatial)


def other_function(trace: Trace, call: FunctionCall) -> Any:
    """Interpreter of all other functions: their results are followed, they are no layers."""
    func, args, kwargs = call.function, call.args, call.kwargs
    with trace.unwatched():
        out = call.run()
    trace.follow(func, args, kwargs, call.tensors, out)
    combined_calls.begin(trace, func, args, kwargs, out)
    if call.name == PACKED:
        trace.steps[id(out[0])] = args[0].shape[1 if args[2] else 0]
    return out


INTERPRETERS: tuple[Callable[[Trace, FunctionCall], Any], ...] = (
    recurrent_calls.rearranged_output,
    parameter_calls.weighted_function,
    layer_function,
    parameter_calls.mean_of_sum,
    other_function,
)
"""What a function call may be; the first that does not return ``UNREAD`` applies."""


def _name(trace: Trace, call: FunctionCall) -> str:
    """The name of the module that calls a function, and the function's."""
    names = [trace.names.get(one, "") for one in trace.path[-1:]]
    if trace.path and isinstance(trace.path[-1], modules.THIN):
        return names[0]
    return ".".join(filter(None, (*names, call.name.strip("_"))))


def _by_place(
    func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], inputs: tuple[Tensor, ...]
) -> Invocation:
    """A call whose inputs were given by name."""
    names = [key for key, value in kwargs.items() if any(value is one for one in inputs)]

    def target(*values: Tensor) -> Any:
        return func(*args, **{**kwargs, **dict(zip(names, values, strict=True))})

    given = tuple(kwargs[name] for name in names)
    return Invocation(target, given, {}, tuple(range(len(given))))
