"""Keras's constraints, computed by ``torch_impl.nn``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from parity_tests.keras_own_tests.adapters.arguments import missing, options_of, to_keras, to_torch
from torch_impl import nn

KINDS = ("MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm")


def __getattr__(name: str) -> Any:
    if name not in KINDS:
        return missing("constraints", name)

    def make(*args: Any, **kwargs: Any) -> Callable[[Any], Any]:
        options = options_of("constraints", name, args, kwargs)
        flavour = {"flavour": "keras3"} if name == "NonNeg" else {}
        constraint = getattr(nn, name)(**options, **flavour)
        return lambda weight: to_keras(constraint(to_torch(weight)))

    return make
