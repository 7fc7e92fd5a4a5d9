"""Watching a Keras model run: every layer that is called, with its tensors."""

from __future__ import annotations

import collections
import contextlib
import functools
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from keras_impl.capture.input_layouts import REARRANGED, channels_first_inputs, transposing
from keras_impl.capture.nesting import is_tensor, named_outputs, with_first
from keras_impl.capture.precision.float32_islands import Islands
from keras_impl.capture.read import (
    attention,
    by_values,
    layers,
    operations,
    own_calls,
    separable,
    weights,
)
from keras_impl.capture.read.activations import activation_of, name_of
from keras_impl.capture.read.arguments import by_place, mask_of, masked, starts_elsewhere
from keras_impl.capture.read.registry import flavour_of, kind_of, reader_of
from keras_impl.capture.replay import Invocation, last, replay, watched_activation
from keras_impl.private_api import calls_replaced, layers_of, operations_observed
from parity.adapters.calls import Call, Run, Weights
from parity.adapters.nesting import flat

__all__ = ["Invocation", "Watch", "named_outputs", "replay"]


class Watch:
    """While :meth:`modules` is entered, the calls of a model's layers are recorded."""

    def __init__(
        self,
        keras: Any,
        model: Any,
        substitutes: Mapping[int, np.ndarray],
        as_tensor: Any,
        islands: Islands | None = None,
        own_calls: dict[int, bool] | None = None,
        training: bool = False,
    ) -> None:
        self.keras = keras
        self.flavour = flavour_of(model)
        self.model = model
        self.substitutes = substitutes
        self.as_tensor = as_tensor
        self.islands = islands
        self.own_calls = {} if own_calls is None else own_calls  # see _calls_own, by layer
        self.training = training
        self.calls: list[Call] = []
        self.made: list[Invocation] = []
        self.followed: dict[int, tuple[Any, int, bool]] = {}  # tensor, call, channels first
        self.fed: Sequence[Any] = ()
        self.native_flatten = False
        self.within = 0
        self.path: list[str] = []
        self.under: list[str] = []  # the layer that counts as one call, while it runs
        self.counts = collections.Counter(one.name for one in layers_of(model))
        self.names: dict[int, str] = {}

    def feed(self, inputs: Sequence[Any], channels_first: Collection[int] = ()) -> None:
        """The model's own inputs, and which of them are known to be channels-first."""
        self.fed = inputs
        for number, tensor in enumerate(inputs):
            self.followed[id(tensor)] = (tensor, -1 - number, number in channels_first)

    @contextlib.contextmanager
    def modules(self) -> Iterator[None]:
        """Report the calls of Keras's layers and TensorFlow's operations."""
        islands = self.islands.observed() if self.islands else contextlib.nullcontext()
        calls = calls_replaced(self.keras, self._watched)
        with calls, operations_observed(self._operation), islands:
            yield

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Record no call meanwhile."""
        self.within += 1
        try:
            yield
        finally:
            self.within -= 1

    def _watched(self, original: Any) -> Any:
        watch = self

        def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
            if watch.within or layer is watch.model:
                return original(layer, *args, **kwargs)
            with watch._alone():
                leaf = watch._leaf(layer)
            if not leaf:
                inner = [layer.name] if layer.name not in watch.path[-1:] else []
                watch.path += inner
                try:
                    return original(layer, *args, **kwargs)
                finally:
                    del watch.path[len(watch.path) - len(inner) :]
            args, kwargs = by_place(layer, args, kwargs)
            values = flat(args)
            places = tuple(n for n, one in enumerate(values) if is_tensor(one))
            if not places or any(not hasattr(values[n], "numpy") for n in places):
                return original(layer, *args, **kwargs)  # a function is being traced
            if watch._calls_own(original, layer, args, kwargs):
                return watch._own_call(original, layer, args, kwargs)
            if kind_of(layer) in separable.KINDS:
                return watch._separable(layer, args[0])
            watch.under = [layer.name]
            try:
                return watch._layer(original, layer, args, kwargs, values, places)
            finally:
                watch.under = []

        return call

    def _calls_own(
        self, original: Any, layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> bool:
        """Whether a subclass calls its base ``call`` once, with as many entries as it receives.

        A trial call in evaluation mode shows it, where nothing is drawn or updated. A subclass that
        pads or crops its input first computes something else.
        """
        if not (layers.known(layer) and own_calls.overridden(layer)):
            return False
        if id(layer) not in self.own_calls and not self.training:
            with self._alone():
                sizes = own_calls.input_sizes(layer, lambda: original(layer, *args, **kwargs))
            self.own_calls[id(layer)] = sizes == [own_calls.size(args)]
        return self.own_calls.get(id(layer), False)

    def _own_call(
        self, original: Any, layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Keras's own ``call`` as the layer; what the subclass does around it as operations."""

        def watched(own: Any, *inner: Any, **named: Any) -> Any:
            if self.within:
                return own(*inner, **named)
            inner, named = by_place(layer, inner, named)
            values = flat(inner)
            places = tuple(n for n, one in enumerate(values) if is_tensor(one))
            return self._layer(original, layer, inner, named, values, places, own)

        self.path.append(layer.name)
        try:
            with own_calls.replaced([(layer, watched)]):
                return original(layer, *args, **kwargs)
        finally:
            self.path.pop()

    def _layer(
        self,
        original: Any,
        layer: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        values: Sequence[Any],
        places: tuple[int, ...],
        own_call: Any = None,
    ) -> Any:
        if kind_of(layer) == "MultiHeadAttention":
            same = len(values) < 3 or values[2] is None or values[2] is values[1]
            places = places[: 2 if same else 3]
        elif reader_of(layer).recurrent:
            places = places[:1]
        made = Invocation(layer, args, kwargs, places, own_call=own_call)
        called = own_call or functools.partial(original, layer)
        function = None
        with self._alone():
            if layers.fused(layer):
                with watched_activation(layer) as (between, function):
                    out = called(*args, **kwargs)
                inner = last(between, out)
            else:
                out = called(*args, **kwargs)
        name = self._name(layer)
        if function is None:
            return self._note(name, layer, made, values, out)
        given = self._note(name, layer, made, values, inner)
        if given is not inner:
            with self._alone():
                out = masked(function(given), out)
        return self._note_activation(name, function, given, out)

    def _separable(self, layer: Any, x: Any) -> Any:
        """Both of its convolutions, then its activation."""
        for part, target in separable.parts(layer):
            made = Invocation(target, (x,), {}, (0,))
            with self._alone():
                out = target(x)
            x = self._add(
                f"{self._name(layer)}.{part}",
                part,
                target.config,
                target.weights,
                made,
                [x],
                out,
                layer.data_format == "channels_first",
            )
        if name_of(layer.activation) in (None, "linear"):
            return x
        with self._alone():
            out = layer.activation(x)
        return self._note_activation(self._name(layer), layer.activation, x, out)

    def _name(self, layer: Any) -> str:
        """The layer's name; with those of the models that contain it if another has it as well."""
        if id(layer) not in self.names:
            name = str(layer.name)
            if self.counts[name] > 1:
                name = "/".join([*self.path, name])
            taken = set(self.names.values())
            while name in taken:
                name += "'"
            self.names[id(layer)] = name
        return self.names[id(layer)]

    def _leaf(self, layer: Any) -> bool:
        kind = kind_of(layer)
        if kind == "InputLayer":
            return False
        if layers.operation(layer):
            return layers.config_of(layer, 2) is not None
        if layers.known(layer):
            return True
        return not layers_of(layer)

    def _note_activation(self, owner: str, function: Any, x: Any, out: Any) -> Any:
        layer = isinstance(function, self.keras.layers.Layer)
        with self._alone():
            if layer:
                config = layers.config_of(function, len(x.shape))
            else:
                config = activation_of(function, self.flavour)
        name = getattr(config, "activation", None) or name_of(function)
        own = weights.of_module(function) if layer else {}
        made = Invocation(function, (x,), {}, (0,))
        first = self.first([x], None)
        return self._add(f"{owner}.{name}", str(name), config, own, made, [x], out, first)

    def _note(
        self, name: str, layer: Any, made: Invocation, values: Sequence[Any], out: Any
    ) -> Any:
        inputs = [values[place] for place in made.places]
        first = self.first(inputs, layer)
        with self._alone():
            own_call = made.own_call is not None
            config = layers.config_of(layer, len(inputs[0].shape), first, own_call)
            options = self._options(layer, made, inputs)
        if starts_elsewhere(layer, made.args, made.kwargs):
            config = None
        own = weights.of_module(layer) if hasattr(layer, "weights") else {}
        if config is None and not own and len(inputs) == 1 and is_tensor(out):
            config = by_values.config_of(made.canonical(inputs[0]), made.canonical(out))
        kind = type(layer).__name__
        return self._add(name, kind, config, own, made, inputs, out, first, options)

    def _options(self, layer: Any, made: Invocation, inputs: Sequence[Any]) -> dict[str, Any]:
        kind = kind_of(layer)
        if kind == "MultiHeadAttention":
            mask = attention.attended(inputs[0], inputs[1], made.kwargs)
            return {} if mask is None else {"attention_mask": mask}
        if not reader_of(layer).masked:
            return {}
        explicit = made.kwargs.get("mask")
        given = explicit is not None or made.own_call is not None
        own = explicit if given else mask_of(inputs[0])
        return {} if own is None else {"mask": np.asarray(own).astype(bool)}

    def first(self, inputs: Sequence[Any], layer: Any) -> bool:
        """Whether the channels are the second axis."""
        own = getattr(layer, "data_format", None)
        if own is not None:
            return bool(own == "channels_first")
        known = [self.followed.get(id(one)) for one in inputs]
        return any(one is not None and one[2] for one in known)

    def _add(
        self,
        name: str,
        kind: str,
        config: Any,
        own: Mapping[str, Any],
        made: Invocation,
        inputs: Sequence[Any],
        out: Any,
        first: bool = False,
        options: Mapping[str, Any] | None = None,
    ) -> Any:
        """Record the call; return its output or the substitute for it."""
        made.axis = 1 if first else layers.moved_axis(made.target)
        made.weights = dict(own)
        tensor = next(one for one in flat((out,)) if is_tensor(one))
        number = len(self.calls)
        output = made.canonical(tensor)
        if number in self.substitutes:
            value = made.own(self.substitutes[number].astype(output.dtype), len(tensor.shape))
            given = masked(self.as_tensor(value), tensor)
            out, tensor = with_first(out, given), given
        found = [self.followed.get(id(one)) for one in inputs]
        rearranged = kind in REARRANGED
        known = found[0] is not None and found[0][2]
        if rearranged and known and len(inputs[0].shape) > 2 and not transposing(made.target):
            self.native_flatten = True
        for one in flat((out,)):
            if is_tensor(one):
                channels_first = first and len(one.shape) > 2 and not rearranged
                self.followed[id(one)] = (one, number, channels_first)
        self.made.append(made)
        self.calls.append(
            Call(
                number=number,
                name=name,
                kind=kind,
                config=config,
                weights=Weights(
                    {key: (key, one) for key, one in own.items()},
                    lambda place: weights.value_of(made.target, *place),
                ),
                inputs=tuple(made.canonical(one) for one in inputs),
                output=output,
                sources=tuple(one[1] if one else None for one in found),
                options=options or {},
            )
        )
        return out

    def _operation(
        self,
        kind: str,
        inputs: Sequence[Any],
        attributes: dict[str, Any],
        outputs: Sequence[Any],
    ) -> Any:
        """One of TensorFlow's that no layer calls: noted where it is a layer, else followed."""
        if self.islands:
            place = "/".join([*self.path, *self.under][-2:])
            given = self.islands.follow(place, kind, inputs, attributes, outputs)
            outputs = outputs if given is None else [given]
        if self.within:
            return None
        known = [self.followed.get(id(one)) for one in inputs]
        source = next((one for one in known if one is not None), None)
        if source is None:
            return None
        with self._alone():
            found = operations.layer_of(
                kind, inputs, attributes, [one is not None for one in known]
            )
            if found is None:
                merges = kind == "Reshape" and source[2] and len(source[0].shape) > 2
                self.native_flatten |= merges and len(outputs[0].shape) < len(source[0].shape)
                for one in outputs:
                    channels_first = source[2] and len(one.shape) == len(source[0].shape)
                    channels_first &= kind != "Transpose"
                    self.followed[id(one)] = (one, source[1], channels_first)
                return None
            config, function, fed = found
            made = Invocation(function, tuple(fed), {}, tuple(range(len(fed))))
            name = "/".join([*self.path[-1:], kind.lower()])
            first = self.first(fed, None)
            return [self._add(name, kind, config, {}, made, fed, outputs[0], first)]

    def run_of(self, out: Any) -> Run:
        """The calls so far, and the model's outputs."""
        outputs, sources, native_layout = {}, {}, {}
        for name, tensor in named_outputs(out):
            found = self.followed.get(id(tensor))
            value = np.asarray(tensor)
            outputs[name] = np.moveaxis(value, 1, -1) if found and found[2] else value
            if outputs[name] is not value:
                native_layout[name] = value
            sources[name] = found[1] if found else None
        return Run(
            calls=self.calls,
            outputs=outputs,
            sources=sources,
            native_layout=native_layout,
            channels_first=channels_first_inputs(self.calls, self.made, self.fed),
            native_flatten=self.native_flatten,
        )
