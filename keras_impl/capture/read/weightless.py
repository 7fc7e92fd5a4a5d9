"""Readers of layers without weights: dropout, reshaping, merging and masking."""

from __future__ import annotations

from typing import Any

from keras_impl.capture.read.registry import Config, kind_of, reader
from parity.reference.layers import dropout, masking, merging, reshaping


@reader("Dropout", "AlphaDropout")
def _dropout(layer: Any) -> Config:
    """A ``noise_shape`` that keeps or drops whole channels makes it a spatial dropout."""
    noise = layer.noise_shape or (None,)
    whole = len(noise) > 2 and {*noise[1:-1]} == {1} and 1 not in (noise[0], noise[-1])
    if kind_of(layer) == "AlphaDropout":
        return (dropout.SpatialAlphaDropout if whole else dropout.AlphaDropout)(rate=layer.rate)
    kinds = {3: dropout.SpatialDropout1D, 4: dropout.SpatialDropout2D, 5: dropout.SpatialDropout3D}
    return (kinds.get(len(noise), dropout.Dropout) if whole else dropout.Dropout)(rate=layer.rate)


@reader("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "GaussianDropout")
def _other_dropout(layer: Any) -> Config:
    return getattr(dropout, kind_of(layer))(rate=layer.rate)


@reader("GaussianNoise")
def _noise(layer: Any) -> Config:
    return dropout.GaussianNoise(stddev=layer.stddev)


@reader("Flatten")
def _flatten(layer: Any) -> Config:
    return reshaping.Flatten()


@reader("Reshape")
def _reshape(layer: Any) -> Config:
    return reshaping.Reshape(target_shape=tuple(layer.target_shape))


@reader("Permute")
def _permute(layer: Any) -> Config:
    return reshaping.Permute(dims=tuple(layer.dims))


@reader("Add", "Multiply", "Subtract", "Average", "Maximum", "Minimum")
def _merge(layer: Any) -> Config:
    return getattr(merging, kind_of(layer))()


@reader("Concatenate")
def _concatenate(layer: Any) -> Config:
    return merging.Concatenate(axis=layer.axis)


@reader("Masking")
def _masking(layer: Any) -> Config:
    return masking.Masking(mask_value=float(layer.mask_value))
