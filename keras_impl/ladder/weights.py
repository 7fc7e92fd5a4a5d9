"""Canonical names of Keras variables. Keras's layout is the canonical one."""

from __future__ import annotations

from typing import Any

from keras_impl.capture.read import weights


def by_canonical_name(model: Any) -> dict[str, Any]:
    """Every parameter and buffer of a built model by canonical name, in the order of its layers."""
    return {
        f"{layer.name}/{name}": variable
        for layer in model.layers
        for name, variable in weights.of_module(layer).items()
    }
