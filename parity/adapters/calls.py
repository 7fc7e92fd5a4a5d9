"""Call and Run: the recorded layer calls of a model, with inputs, output and weights."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, TypeVar

import numpy as np

from parity.adapters.released import released
from parity.numerics import tolerance

Arrays = dict[str, np.ndarray]


Name = TypeVar("Name", bound=Hashable)


class Weights(Mapping[Name, np.ndarray]):
    """Arrays by name that are read from the framework at each access; nothing is copied."""

    def __init__(self, places: Mapping[Name, Any], read: Callable[[Any], np.ndarray]) -> None:
        self.places, self.read = places, read

    def __getitem__(self, name: Name) -> np.ndarray:
        return self.read(self.places[name])

    def __iter__(self) -> Iterator[Name]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)


@dataclass(frozen=True)
class Output:
    """Configuration of a call that stands for one output of the model."""

    keras: ClassVar[str] = "output"


@dataclass(eq=False, kw_only=True)
class Call:
    """One call of a layer, a module or a function, independent of the framework.

    Arrays are canonical: channels-last, sequences (N, T, …), a flattened map in the order H, W, C.

    Attributes:
        number: place in the order of execution, from 0.
        name: of the Keras layer or the PyTorch module in the user's model; of a function, the name
            of the calling module and its own (``features.relu``).
        kind: name of the class or the function.
        config: of :mod:`parity.reference.layers`, in Keras's terms; None for an unknown kind.
        weights: parameters and buffers by canonical name, with the shapes of the layer's
            reference; the model's current values.
        inputs: canonical arrays.
        output: canonical array.
        sources: for each input, the number of the call that produced it; -1 for a model's input,
            None if the functions between could not be followed.
        through: functions between that call and the first input which are not layers.
        options: other values that the layer's result depends on, such as a mask.
        merged_calls: numbers of the calls that were merged into this one; else its own.
        merged_into: number of the call that it was merged into, if any.
        allowed: tolerance for another framework's output, relative to the largest entry.
    """

    number: int
    name: str
    kind: str
    config: Any
    weights: Mapping[str, np.ndarray]
    inputs: tuple[np.ndarray, ...]
    output: np.ndarray
    sources: tuple[int | None, ...]
    through: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    merged_calls: tuple[int, ...] = ()
    merged_into: int | None = None
    allowed: float = tolerance.FLOAT64["forward_eval"].limit

    def __post_init__(self) -> None:
        self.merged_calls = self.merged_calls or (self.number,)

    @property
    def anchor(self) -> bool:
        """Whether it is matched first: it has weights or is an output."""
        return bool(self.weights) or isinstance(self.config, Output)

    def forget(self) -> None:
        """Release all arrays; only their shapes can be read afterwards."""
        self.inputs = tuple(released(self.name, one) for one in self.inputs)
        self.output = released(self.name, self.output)

    @property
    def layer(self) -> str:
        """Kind of the layer in Keras's terms; the framework's own if unknown."""
        return self.kind if self.config is None else str(self.config.keras)


@dataclass(eq=False, kw_only=True)
class Run:
    """A model's calls in the order of execution, and its outputs.

    Attributes:
        calls: every call of a layer.
        outputs: canonical arrays, by the place in the model's output (``output``, ``output/1``,
            ``output/logits``).
        sources: for each of them the call it comes from, as of :attr:`Call.sources`.
        native_layout: the outputs in the model's own layout, where that is not the canonical one.
        through: for each of them what :attr:`Call.through` is for an input.
        channels_first: places of the model's inputs that its layers take channels-first.
        native_flatten: whether channels-first maps are flattened as they are, channels first.
        computed_in_float32: layers of a model in float64 whose code computed in float32 and cast
            the result to float64; with a number's value and what it would be in float64, empty
            for tensors.
    """

    calls: list[Call]
    outputs: Arrays
    sources: dict[str, int | None]
    native_layout: Arrays = field(default_factory=dict)
    through: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    channels_first: frozenset[int] = frozenset()
    native_flatten: bool = False
    computed_in_float32: Mapping[str, str] = field(default_factory=dict)

    def forget(self) -> None:
        """Release the inputs and outputs of all calls; see :meth:`Call.forget`."""
        for call in self.calls:
            call.forget()

    def in_layout_of(self, other: Run) -> Run:
        """Return the run with outputs in native layout if the other's have the same shape.

        Without that layout too, axes of length 1 are added or left out as in the other's.
        """
        outputs = dict(self.outputs)
        for (name, value), theirs in zip(
            self.outputs.items(), other.outputs.values(), strict=False
        ):
            own = self.native_layout.get(name, value)
            if value.shape != theirs.shape == own.shape:
                outputs[name] = own
            elif squeezed(value.shape) == squeezed(theirs.shape):
                outputs[name] = value.reshape(theirs.shape)
        return replace(self, outputs=outputs)

    def native_in(self, other: Run) -> tuple[bool, ...]:
        """Whether both runs have PyTorch's own layout, for each output; this one is PyTorch's."""
        oriented = self.in_layout_of(other)
        return tuple(
            oriented.outputs[name] is self.native_layout.get(name)
            or (theirs in other.native_layout and name in self.native_layout)
            for theirs, name in zip(other.outputs, self.outputs, strict=False)
        )

    def with_only(self, names: Sequence[str]) -> Run:
        """The run with these of its outputs, in this order; with all if there are no names."""

        def only(values: Mapping[str, Any]) -> dict[str, Any]:
            return {name: values[name] for name in names if name in values}

        if not names:
            return self
        return replace(
            self,
            outputs=only(self.outputs),
            sources=only(self.sources),
            native_layout=only(self.native_layout),
            through=only(self.through),
        )

    def with_outputs(self, calls: Sequence[Call]) -> Run:
        """Return a run of these calls and one more for each output, which returns its input."""
        ends = [
            Call(
                number=len(calls) + place,
                name=name,
                kind="output",
                config=Output(),
                weights={},
                inputs=(value,),
                output=value,
                sources=(self.sources[name],),
                through=self.through.get(name, ()),
            )
            for place, (name, value) in enumerate(self.outputs.items())
        ]
        return replace(self, calls=[*calls, *ends])


def squeezed(shape: Sequence[int]) -> list[int]:
    """A shape without its axes of length 1."""
    return [size for size in shape if size != 1]


def leading(sources: Sequence[int | None], calls: Sequence[Call]) -> set[int]:
    """Return the numbers of the upstream calls without weights, up to the next with weights."""
    ahead = list(sources)
    found: set[int] = set()
    while ahead:
        source = ahead.pop()
        light = source is not None and source >= 0 and not calls[source].anchor
        if source is not None and light and source not in found:
            found.add(source)
            ahead += calls[source].sources
    return found
