"""Each layer's NumPy reference and its table of defaults, against the frameworks themselves."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import pytest

from parity.adapters.backend import Backend
from parity.numerics.tolerance import FLOAT64
from parity.reference.catalogue import LAYERS
from parity_tests.catalogue import distance, dropout, table
from parity_tests.catalogue.frameworks import has, keras_layer, out, weights_of

CASES = [
    pytest.param(layer, config, x, given, id=f"{name}-{number}")
    for layer in LAYERS
    for name in [layer.__name__.split(".")[-1]]
    for number, (config, x, given) in enumerate(table.REFERENCES[name])
]


LEFT = ("rank", "count_include_pad", "track_running_stats", "antialias")
"""Fields that are no arguments of Keras's."""


def arguments(config: Any) -> dict[str, Any]:
    """Keras's arguments of a canonical configuration, wrapped layers made."""
    from keras_impl.framework import keras, set_dtype

    set_dtype("float64")
    names = [entry.name for entry in dataclasses.fields(config) if entry.name not in LEFT]
    found = {name: getattr(config, name) for name in names}
    return {
        name: getattr(keras.layers, value.keras)(**arguments(value))
        if dataclasses.is_dataclass(value)
        else value
        for name, value in found.items()
    }


@pytest.mark.flavour
@pytest.mark.parametrize(("layer", "config", "x", "given"), CASES)
def test_reference_is_keras(
    layer: Any, config: Any, x: Any, given: dict[str, Any], keras_backend: Backend, flavour: str
) -> None:
    """The plain NumPy forward computes what Keras's layer does."""
    if flavour == "tf_keras" and not has(config):
        pytest.skip("Keras 2 has no such layer")
    built = keras_layer(config.keras, x, **arguments(config))
    expected = out(built, x, **given)
    inputs = x if isinstance(x, tuple) else (x,)
    if "flavour" in inspect.signature(layer.reference).parameters:
        given = {**given, "flavour": flavour}
    found = layer.reference(config, weights_of(built), *inputs, **given)
    assert found.shape == expected.shape
    assert distance(expected, found) <= FLOAT64["forward_eval"].limit


DEFAULTS = [
    pytest.param(layer, kind, id=f"{layer.__name__.split('.')[-1]}-{kind}")
    for layer in LAYERS
    for kind in {**layer.KERAS_DEFAULTS, **getattr(layer, "KERAS_3_DEFAULTS", {})}
]


@pytest.mark.flavour
@pytest.mark.parametrize(("layer", "kind"), DEFAULTS)
def test_keras_defaults_are_keras(
    layer: Any, kind: str, flavour: str, keras_backend: Backend
) -> None:
    """What is said of Keras's defaults is what its classes take when nothing is said."""
    from keras_impl.framework import keras

    expected = layer.KERAS_DEFAULTS.get(kind)
    if flavour == "keras3":
        expected = getattr(layer, "KERAS_3_DEFAULTS", {}).get(kind, expected)
    if expected is None:
        pytest.skip("Keras 2 has no such layer")
    found = defaults(getattr(keras.layers, kind))
    assert {name: single(found[name]) for name in expected} == expected


TORCH_DEFAULTS = [
    pytest.param(layer, kind, id=f"{layer.__name__.split('.')[-1]}-{kind}")
    for layer in LAYERS
    for kind in layer.TORCH_DEFAULTS
]


@pytest.mark.parametrize(("layer", "kind"), TORCH_DEFAULTS)
def test_torch_defaults_are_torch(layer: Any, kind: str) -> None:
    """The same of PyTorch's classes."""
    import torch

    expected = layer.TORCH_DEFAULTS[kind]
    found = defaults(getattr(torch.nn, kind))
    assert {name: single(found[name]) for name in expected} == expected


def defaults(kind: type) -> dict[str, Any]:
    """Argument to default, of a class and those that it is derived from."""
    found: dict[str, Any] = {}
    if kind.__module__.startswith(
        "torch.nn.modules.rnn"
    ):  # PyTorch's, whose signatures are *args, **kwargs
        return vars(kind(1, 1))
    for one in reversed(kind.__mro__):
        if "__init__" in vars(one) and one is not object:
            found |= {
                name: argument.default
                for name, argument in inspect.signature(one.__init__).parameters.items()
            }
    return found


def single(value: Any) -> Any:
    """One number where a tuple says the same for each axis."""
    while isinstance(value, tuple) and len(set(value)) == 1:
        value = value[0]
    return value


@pytest.mark.flavour
@pytest.mark.parametrize("config", dropout.KINDS, ids=lambda config: config.keras)
def test_reference_is_keras_in_training(config: Any, keras_backend: Backend) -> None:
    """With what Keras drew, the references of layers that draw compute what it does."""
    expected, found = dropout.in_training(config)
    assert distance(expected, found) <= FLOAT64["forward_train"].limit
    assert distance(expected, dropout.IMAGES) > 0.1
