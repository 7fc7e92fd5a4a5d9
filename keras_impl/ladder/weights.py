"""Canonical names of Keras variables. Keras's layout is the canonical one."""

from __future__ import annotations

from typing import Any

from keras_impl.framework import keras

_DENSE = ("kernel", "bias")
_NORM = ("gamma", "beta", "moving_mean", "moving_variance")
_LAYER_NORM = ("gamma", "beta")
_CELL = ("kernel", "recurrent_kernel", "bias")


def by_canonical_name(model: Any) -> dict[str, Any]:
    """Every parameter and buffer of a built model by canonical name, in the order of its layers."""
    found: dict[str, Any] = {}
    for layer in model.layers:
        found.update(_of_layer(layer))
    return found


def _of_layer(layer: Any) -> dict[str, Any]:
    if isinstance(layer, keras.layers.Bidirectional):
        return {
            f"{layer.name}/{way}/{name}": getattr(run.cell, name)
            for way, run in (("forward", layer.forward_layer), ("backward", layer.backward_layer))
            for name in _CELL
        }
    if hasattr(layer, "cell"):
        return {f"{layer.name}/{name}": getattr(layer.cell, name) for name in _CELL}
    if isinstance(layer, keras.layers.BatchNormalization):
        return {f"{layer.name}/{name}": getattr(layer, name) for name in _NORM}
    if isinstance(layer, keras.layers.LayerNormalization):
        return {f"{layer.name}/{name}": getattr(layer, name) for name in _LAYER_NORM}
    if isinstance(layer, keras.layers.Embedding):
        return {f"{layer.name}/embeddings": layer.embeddings}
    if hasattr(layer, "kernel"):
        return {f"{layer.name}/{name}": getattr(layer, name) for name in _DENSE}
    return {}
