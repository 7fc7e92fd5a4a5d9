"""Keras's regularizers, computed by ``torch_impl.nn``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from parity_tests.keras_own_tests.adapters.arguments import missing, options_of, to_keras, to_torch
from torch_impl import nn

KINDS = ("L1", "L2", "L1L2")


def __getattr__(name: str) -> Any:
    if name not in KINDS:
        area = "regularizers.regularizers" if name == "validate_float_arg" else "regularizers"
        return missing(area, name)

    def make(*args: Any, **kwargs: Any) -> Callable[[Any], Any]:
        options = options_of("regularizers", name, args, kwargs)
        penalty = getattr(nn, name)(**options, flavour="keras3")
        return lambda weight: to_keras(penalty(to_torch(weight)))

    return make
