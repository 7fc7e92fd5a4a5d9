"""Compute the output of a layer of any kind by its NumPy reference."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from parity.reference.layers.merging import Merging


def computed(
    config: Any,
    weights: Mapping[str, np.ndarray],
    inputs: Sequence[np.ndarray],
    options: Mapping[str, Any],
    flavour: str,
) -> np.ndarray:
    """The reference's output.

    Args:
        config: a configuration from one of the layer modules.
        weights: by canonical name, as the reference expects them.
        inputs: canonical arrays.
        options: further arguments, such as ``mask``; those that the reference lacks are ignored.
        flavour: the Keras version, or ``torch``.

    Raises:
        KeyError, ValueError, IndexError, TypeError: the weights or inputs do not fit.
    """
    function = importlib.import_module(type(config).__module__).reference
    known = inspect.signature(function).parameters
    given = {name: value for name, value in options.items() if name in known}
    if "flavour" in known:
        given["flavour"] = flavour
    if isinstance(config, Merging):
        return np.asarray(function(config, weights, list(inputs), **given))
    return np.asarray(function(config, weights, *inputs, **given))
