"""Registry of the layer kinds: each kind is registered in the file that defines it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

Config = TypeVar("Config", bound=type)


@dataclass(frozen=True)
class Kind:
    """How the catalogue names a kind of layer and its settings.

    Attributes:
        name: first part of its catalogue ids.
        settings: fields of its configuration.
        weights: canonical names of its weights, the last part of a path.
        ids: setting, weight or option to its catalogue id, where that is not ``name.setting``.
        family: kinds of one family are easily mistaken for each other, so they are matched and
            reported as different; a text, or a function of the configuration; empty for none.
    """

    name: str
    settings: tuple[str, ...]
    weights: tuple[str, ...]
    ids: Mapping[str, str]
    family: str | Callable[[Any], str]

    def id_of(self, setting: str) -> str:
        """The catalogue id of a setting, a weight or an option."""
        last = setting.split("/")[-1]
        return self.ids.get(last, f"{self.name}.{last}")


KINDS: dict[type, Kind] = {}
"""Class of a configuration to its kind."""

_BY_KERAS_CLASS: dict[str, Kind] = {}


def layer_kind(
    name: str,
    *,
    weights: Sequence[str] = (),
    ids: Mapping[str, str] | None = None,
    family: str | Callable[[Any], str] = "",
) -> Callable[[Config], Config]:
    """Register the dataclass of a layer's configuration; for the arguments see :class:`Kind`."""

    def register(config: Config) -> Config:
        settings = tuple(one.name for one in dataclasses.fields(config))
        kind = Kind(name, settings, tuple(weights), ids or {}, family)
        KINDS[config] = kind
        if isinstance(keras := vars(config).get("keras"), str):
            _BY_KERAS_CLASS[keras] = kind
        return config

    return register


def kind_of(config: Any, layer: str) -> Kind | None:
    """The kind of a layer; None if it is not registered.

    Args:
        config: its configuration; None where that could not be read.
        layer: Keras's name of its class, or the framework's own.
    """
    return KINDS.get(type(config)) or _BY_KERAS_CLASS.get(layer)


Conversion = TypeVar("Conversion", bound=Callable[[Any, Sequence[int]], Any])

CONVERSIONS: dict[tuple[type, type], Callable[[Any, Sequence[int]], Any]] = {}
"""Two kinds of configurations to the conversion of the first into the second."""


def conversion(kind: type, other: type) -> Callable[[Conversion], Conversion]:
    """Register a function of a configuration and the input's shape: the same layer as another kind.

    The function returns None where the other kind has no such layer.
    """

    def register(convert: Conversion) -> Conversion:
        CONVERSIONS[kind, other] = convert
        return convert

    return register


def as_kind_of(config: Any, other: Any, shape: Sequence[int]) -> Any:
    """A configuration as one of the other's kind, if there is such; else itself.

    Args:
        config: of any kind.
        other: of the kind that is wanted.
        shape: of the layer's input.
    """
    convert = CONVERSIONS.get((type(config), type(other)))
    return (convert(config, shape) if convert else None) or config


Fit = TypeVar("Fit", bound=Callable[[Any, Any, Any], Any])

FITS: dict[type, Callable[[Any, Any, Any], Any]] = {}
"""Kind of a configuration to what fits one to an input and an output."""


def fitted(*kinds: type) -> Callable[[Fit], Fit]:
    """Register a function of a configuration, an input and an output: the settings that give it.

    The function returns None where no settings do.
    """

    def register(function: Fit) -> Fit:
        FITS.update(dict.fromkeys(kinds, function))
        return function

    return register


def fit(config: Any, x: Any, y: Any) -> Any:
    """A configuration of the same kind with which the layer gives y for x; None if unknown."""
    function = FITS.get(type(config))
    return function(config, x, y) if function else None


def family_of(config: Any, layer: str) -> str:
    """The family of a layer, or its class if it has none; see :func:`kind_of`."""
    kind = kind_of(config, layer)
    family = kind.family if kind else ""
    return (family(config) if callable(family) else family) or layer
