"""Watching a PyTorch model run: every module and function that is a layer, with its tensors."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from parity.reference.layers import merging
from torch_impl.capture.read import attention, functions, modules, weights
from torch_impl.capture.trace.combined_calls import CombinedTrace
from torch_impl.capture.trace.nesting import flat, named_outputs
from torch_impl.capture.trace.overridden import computes_the_same
from torch_impl.capture.trace.replay import Made, again
from torch_impl.private_api import PACKED

__all__ = ["Made", "Watch", "again", "named_outputs"]


class Watch(CombinedTrace):
    """While it is entered, the model's calls are written down."""

    @contextlib.contextmanager
    def modules(self) -> Iterator[None]:
        """Every module told when it is called."""
        changed: list[tuple[nn.Module, Any]] = []
        for module, name in self.names.items():
            if module is not self.model or modules.known(module):
                changed.append((module, vars(module).get("forward")))
                module.forward = self._watched(module, name)
        try:
            yield
        finally:
            for module, own in changed:
                if own is None:
                    del module.forward
                else:
                    module.forward = own

    def _watched(self, module: nn.Module, name: str) -> Any:
        forward, replaced = module.forward, "forward" in vars(module)

        def call(*args: Any, **kwargs: Any) -> Any:
            if self.within:
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
            self._use(flat(args))
            if isinstance(module, nn.RNNBase) and not module.proj_size:
                return self._recurrent(module, name, forward, *args)
            return self._module(module, name or type(module).__name__, forward, args, kwargs)

        return call

    def _as_its_kind(
        self, module: nn.Module, forward: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> bool:
        """Whether a forward pass that is overridden gives what PyTorch's class gives."""
        kind = modules.kind_of(module)
        if kind is not None and module not in self.same_as_kind:
            with self._alone():
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
        layer = self._completed(func, args, kwargs)
        if layer is None and tensors:
            layer = functions.layer_of(func, args, kwargs, layouts)
        if layer is None or (layer.config is None and layer.inputs[0].shape == ()):
            with self._alone():
                out = func(*args, **kwargs)
            averaged = self._averaged(func, args, out)
            if averaged is not None:
                return averaged
            self._follow(func, args, kwargs, tensors, out)
            self._begin(func, args, kwargs, out)
            if functions.name_of(func) == PACKED:
                self.steps[id(out[0])] = args[0].shape[1 if args[2] else 0]
            return out
        if isinstance(layer.config, merging.Merging):
            self._agree(layer.inputs)
        values = flat(args)
        places = tuple(n for n, one in enumerate(values) if any(one is x for x in layer.inputs))
        made = Made(func, args, kwargs, places)
        if layer.target is not None:
            made = Made(layer.target, layer.inputs, {}, tuple(range(len(layer.inputs))))
        elif not places:
            made = _by_place(func, args, kwargs, layer.inputs)
        before = self._taken(flat(made.args), made.places, layer.spatial)
        with self._alone():
            out = func(*args, **kwargs)
        return self._note(
            self._name(func), func.__name__, layer.config, made, before, out, layer.spatial
        )

    def _name(self, func: Any) -> str:
        """Of the module that calls a function, and the function's."""
        names = [self.names.get(one, "") for one in self.path[-1:]]
        if self.path and isinstance(self.path[-1], modules.THIN):
            return names[0]
        return ".".join(filter(None, (*names, functions.name_of(func).strip("_"))))


def _by_place(
    func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], inputs: tuple[Tensor, ...]
) -> Made:
    """A call whose inputs were given by name."""
    names = [key for key, value in kwargs.items() if any(value is one for one in inputs)]

    def target(*values: Tensor) -> Any:
        return func(*args, **{**kwargs, **dict(zip(names, values, strict=True))})

    given = tuple(kwargs[name] for name in names)
    return Made(target, given, {}, tuple(range(len(given))))
