"""Watching a Keras model run: every layer that is called, with its tensors."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_impl.capture import modules, weights
from parity.pairs.calls import Call, Run


@dataclass(frozen=True)
class Made:
    """What it takes to make a call again."""

    target: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    places: tuple[int, ...]  # of the inputs among the flattened arguments


class Watch:
    """While :meth:`modules` is entered, the calls of a model's layers are written down."""

    def __init__(
        self, keras: Any, model: Any, given: Mapping[int, np.ndarray], as_tensor: Any
    ) -> None:
        self.keras = keras
        self.model = model
        self.given = given
        self.as_tensor = as_tensor
        self.calls: list[Call] = []
        self.made: list[Made] = []
        self.followed: dict[int, tuple[Any, int]] = {}
        self.within = 0
        parts = {id(one): one.name for one in model._flatten_layers()}
        self.often = {name for name, count in Counter(parts.values()).items() if count > 1}

    def name_of(self, layer: Any) -> str:
        """The layer's name; with its place in the model where others have the same one."""
        own = next(iter(getattr(layer, "weights", ())), None)
        if own is None or layer.name not in self.often:
            return str(layer.name)
        path = getattr(own, "path", own.name)
        return str(path.rpartition("/")[0] or layer.name)

    def feed(self, inputs: Sequence[Any]) -> None:
        """The model's own inputs."""
        for number, tensor in enumerate(inputs):
            self.followed[id(tensor)] = (tensor, -1 - number)

    @contextlib.contextmanager
    def modules(self) -> Iterator[None]:
        """Keras's own ``__call__`` replaced by one that watches."""
        layers = self.keras.layers.Layer
        classes = [layers]
        if hasattr(self.keras, "Operation"):  # Keras 3: functions in a functional model
            classes.append(self.keras.Operation)
        before = [cls.__call__ for cls in classes]
        for cls, call in zip(classes, before, strict=True):
            cls.__call__ = self._watched(call)
        try:
            yield
        finally:
            for cls, call in zip(classes, before, strict=True):
                cls.__call__ = call

    def _watched(self, original: Any) -> Any:
        watch = self

        def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
            if watch.within or layer is watch.model or not watch._leaf(layer):
                return original(layer, *args, **kwargs)
            flat = _flat(args)
            places = tuple(n for n, one in enumerate(flat) if watch._is_tensor(one))
            if not places or any(not hasattr(flat[n], "numpy") for n in places):
                return original(layer, *args, **kwargs)  # a function is being traced
            watch.within += 1
            try:
                if watch._fused(layer):
                    out, inner = watch._apart(original, layer, args, kwargs)
                else:
                    out, inner = original(layer, *args, **kwargs), None
            finally:
                watch.within -= 1
            made = Made(layer, args, kwargs, places)
            if inner is None:
                return watch._note(watch.name_of(layer), layer, made, flat, out)
            between, function = inner
            given = watch._note(watch.name_of(layer), layer, made, flat, between)
            if given is not between:
                out = function(given)
            return watch._note_activation(layer, function, given, out)

        return call

    def _leaf(self, layer: Any) -> bool:
        if modules.kind_of(layer) == "InputLayer":
            return False
        if modules.known(layer):
            return True
        parts = getattr(layer, "_flatten_layers", None)
        if parts is None:
            return True  # an operation that is no layer
        return len(list(parts(include_self=False, recursive=True))) == 0

    def _is_tensor(self, value: Any) -> bool:
        return hasattr(value, "shape") and hasattr(value, "dtype")

    def _fused(self, layer: Any) -> bool:
        own = modules.kind_of(layer).startswith(modules.FUSED)
        return own and modules.name_of(layer.activation) not in (None, "linear")

    def _apart(
        self, original: Any, layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Any, tuple[Any, Any]]:
        """The layer with its activation watched: its output, and (what goes in, function)."""
        function, between = layer.activation, []

        def watched(x: Any) -> Any:
            between.append(x)
            return function(x)

        layer.activation = watched
        try:
            out = original(layer, *args, **kwargs)
        finally:
            layer.activation = function
        return out, (between[-1], function)

    def _note_activation(self, layer: Any, function: Any, x: Any, out: Any) -> Any:
        name = modules.name_of(function)
        config = modules.activation_of(function)
        made = Made(function, (x,), {}, (0,))
        return self._add(f"{self.name_of(layer)}.{name}", str(name), config, {}, made, [x], out)

    def _note(self, name: str, layer: Any, made: Made, flat: Sequence[Any], out: Any) -> Any:
        inputs = [flat[place] for place in made.places]
        config = modules.config_of(layer, len(inputs[0].shape))
        own = weights.of_module(layer) if hasattr(layer, "weights") else {}
        values = {key: np.asarray(one.numpy()) for key, one in own.items()}
        return self._add(name, type(layer).__name__, config, values, made, inputs, out)

    def _add(
        self,
        name: str,
        kind: str,
        config: Any,
        values: dict[str, np.ndarray],
        made: Made,
        inputs: Sequence[Any],
        out: Any,
    ) -> Any:
        """Write the call down; what came out of it, or what is given in its place."""
        first = next(one for one in _flat((out,)) if self._is_tensor(one))
        number = len(self.calls)
        output = np.asarray(first.numpy())
        if number in self.given and first is out:
            out = self.as_tensor(self.given[number].astype(output.dtype))
        found = [self.followed.get(id(one)) for one in inputs]
        for tensor in _flat((out,)):
            if self._is_tensor(tensor):
                self.followed[id(tensor)] = (tensor, number)
        self.made.append(made)
        self.calls.append(
            Call(
                number=number,
                name=name,
                kind=kind,
                config=config,
                weights=values,
                inputs=tuple(np.asarray(one.numpy()) for one in inputs),
                output=output,
                sources=tuple(one[1] if one else None for one in found),
            )
        )
        return out

    def run_of(self, out: Any) -> Run:
        """The calls so far, and the model's outputs."""
        named = named_outputs(out)
        outputs = {name: np.asarray(tensor.numpy()) for name, tensor in named}
        found = {name: self.followed.get(id(tensor)) for name, tensor in named}
        sources = {name: one[1] if one else None for name, one in found.items()}
        return Run(calls=self.calls, outputs=outputs, sources=sources)


def named_outputs(out: Any, name: str = "output") -> list[tuple[str, Any]]:
    """The tensors of a model's output by place: ``output``, ``output/1``, ``output/logits``.

    Raises:
        TypeError: there is something else in it.
    """
    if hasattr(out, "numpy"):
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


def again(made: Made, inputs: Sequence[Any]) -> np.ndarray:
    """What a call gives for other inputs."""
    flat = _flat(made.args)
    for place, value in zip(made.places, inputs, strict=True):
        flat[place] = value
    args = _packed(made.args, iter(flat))
    layer = made.target
    fused = modules.kind_of(layer).startswith(modules.FUSED) and hasattr(layer, "activation")
    function = layer.activation if fused else None
    if fused:
        layer.activation = lambda x: x
    try:
        out = layer(*args, **made.kwargs)
    finally:
        if fused:
            layer.activation = function
    first = next(one for one in _flat((out,)) if hasattr(one, "numpy"))
    return np.asarray(first.numpy())


def _packed(like: Sequence[Any], values: Iterator[Any]) -> tuple[Any, ...]:
    """Flat values in the shape of ``like``."""
    return tuple(
        list(_packed(one, values)) if isinstance(one, (tuple, list)) else next(values)
        for one in like
    )
