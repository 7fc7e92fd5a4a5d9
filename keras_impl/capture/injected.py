"""Keras's random layers with numbers from outside. Twin: ``torch_impl/capture/injected.py``."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from keras_impl.capture.modules import kind_of
from parity.constants import as_float32
from parity.pairs.trainer import uniform

if TYPE_CHECKING:
    from keras_impl.capture.side import KerasSide

DROPOUTS = ("Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D")
OTHERS = ("GaussianDropout", "GaussianNoise", "AlphaDropout")


class Injected:
    """While :meth:`layers` is entered, dropout keeps where the shared numbers say so.

    Args:
        side: whose model it is, which says at which of the layers' calls it is.
        names: by which each call draws, in the order of the calls; an empty one keeps all.
        seed: of all draws.
    """

    def __init__(self, side: KerasSide, names: Sequence[str], seed: int) -> None:
        self.side = side
        self.tf = side.tf
        self.model = side.model
        self.names = names
        self.seed = seed
        self.numbers: list[int] = []

    @contextlib.contextmanager
    def layers(self, step: int, fused: bool) -> Iterator[None]:
        """Patch the model's layers for one call of it.

        Args:
            step: of the training, from 0.
            fused: whether batch norm follows Keras 2's kernel for float32 images.
        """
        self.numbers = []
        changed = []
        for layer in self.model._flatten_layers(include_self=False, recursive=True):
            call = None
            if kind_of(layer) in DROPOUTS and _own_call(layer):
                call = self._dropout(layer, step)
            elif fused and kind_of(layer) == "BatchNormalization" and _own_call(layer):
                call = self._batch_norm(layer)
            if call is not None:
                object.__setattr__(layer, "call", call)
                changed.append(layer)
        try:
            yield
        finally:
            for layer in changed:
                object.__delattr__(layer, "call")

    def unshared(self) -> list[str]:
        """Layers that draw and that this does not reach."""
        return [
            layer.name
            for layer in self.model._flatten_layers(include_self=False, recursive=True)
            if kind_of(layer) in OTHERS
            or (kind_of(layer) in DROPOUTS and not _own_call(layer))
            or bool(getattr(layer, "recurrent_dropout", False))
            or (kind_of(layer) in ("LSTM", "GRU", "SimpleRNN") and layer.dropout)
        ]

    def _dropout(self, layer: Any, step: int) -> Callable[..., Any]:
        def call(inputs: Any, training: Any = None, **_: Any) -> Any:
            if not training:
                return inputs
            number = len(self.numbers)
            self.numbers.append(len(self.side.watch.calls))
            name = self.names[number] if number < len(self.names) else f"keras/{number}"
            if not name:
                return inputs
            shape = tuple(inputs.shape)
            drawn = uniform(self.seed, name, step, shape)
            kept = drawn[tuple(slice(size) for size in _noise(layer, shape))] >= layer.rate
            scale = 1.0 / (1.0 - layer.rate) if layer.rate < 1.0 else 0.0
            return inputs * self.tf.constant(kept * scale, inputs.dtype)

        return call

    def _batch_norm(self, layer: Any) -> Callable[..., Any]:
        """In float64 Keras 2 takes the biased variance; what users run is its float32 kernel.

        Source: ``tf_keras/src/layers/normalization/batch_normalization.py``.
        """
        original = layer.call

        def call(inputs: Any, *args: Any, training: Any = None, **kwargs: Any) -> Any:
            moved = training and layer.trainable and len(inputs.shape) == 4
            before: Any = layer.moving_variance.numpy() if moved else None
            with self.side.islands.resting():  # PyTorch's momentum is rounded as Keras's is
                out = original(inputs, *args, training=training, **kwargs)
            if moved:
                kept = before * (1.0 - as_float32(1.0 - layer.momentum))
                axis = layer.axis if isinstance(layer.axis, int) else layer.axis[0]
                count = int(self.tf.size(inputs)) // inputs.shape[axis]
                bessel = count / max(count - 1, 1)
                layer.moving_variance.assign(kept + (layer.moving_variance - kept) * bessel)
            return out

        return call


def _own_call(layer: Any) -> bool:
    return type(layer).call.__module__.split(".")[0] in ("keras", "tf_keras")


def _noise(layer: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of the mask."""
    if kind_of(layer).startswith("Spatial"):
        return (shape[0], *(1,) * (len(shape) - 2), shape[-1])
    given = layer.noise_shape or (None,) * len(shape)
    return tuple(size if own is None else own for own, size in zip(given, shape, strict=True))
