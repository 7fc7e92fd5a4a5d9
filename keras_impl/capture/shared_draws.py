"""Keras's random layers with numbers from outside. Twin: ``torch_impl/capture/shared_draws.py``."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import numpy as np

from keras_impl.capture.read.own_calls import Handler, overridden, replaced
from keras_impl.capture.read.registry import kind_of
from keras_impl.private_api import layers_of
from parity.adapters.random_draws import Mask, normal, uniform
from parity.constants import as_float32
from parity.pairs.causes.training.dropout import SPATIAL
from parity.reference.layers.activations import SELU_LIMIT

NORMALS = ("GaussianDropout", "GaussianNoise")
RANDOM = ("Dropout", *SPATIAL, "AlphaDropout", *NORMALS)


class SharedDraws:
    """While :meth:`layers` is entered, dropout and noise draw the shared numbers.

    Args:
        tf: TensorFlow.
        model: whose layers draw.
        names: of the streams that each call draws from, in the order of the calls; with an empty
            one it changes nothing.
        layouts: whether the channels of what each call takes are its second axis; None: they are
            looked up and remembered.
        seed: of all draws.
        step: of the training, from 0.
        watched: number of the watched call under way, and whether a tensor is channels-first.
        paused: what suspends the computation in float64 of what the model computes in float32.
    """

    def __init__(
        self,
        tf: Any,
        model: Any,
        names: Sequence[str],
        layouts: Sequence[bool] | None,
        seed: int,
        step: int,
        watched: Callable[[Any, Any], tuple[int, bool]],
        paused: Callable[[], contextlib.AbstractContextManager[None]],
    ) -> None:
        self.tf, self.model = tf, model
        self.names = names
        self.layouts = layouts
        self.seed, self.step = seed, step
        self.watched = watched
        self.paused = paused
        self.calls: list[int] = []
        self.normals: dict[int, int] = {}
        self.masks: dict[int, Mask] = {}
        self.channels_first: list[bool] = []
        self.reached: set[int] = set()  # layers, by id

    @contextlib.contextmanager
    def layers(self, fused: bool) -> Iterator[None]:
        """Patch the model's layers for one call of it.

        Args:
            fused: whether batch norm follows Keras 2's kernel for float32 images.
        """
        handlers = []
        for layer in layers_of(self.model):
            if kind_of(layer) in RANDOM:
                handlers.append((layer, self._random(layer)))
            elif fused and kind_of(layer) == "BatchNormalization" and not overridden(layer):
                handlers.append((layer, self._batch_norm(layer)))
        with replaced(handlers):
            yield

    def _random(self, layer: Any) -> Handler:
        noisy = kind_of(layer) in NORMALS

        def call(_own: Any, inputs: Any, training: Any = None, **_: Any) -> Any:
            self.reached.add(id(layer))
            if not training:
                return inputs
            place = len(self.calls)
            if self.layouts is None:
                number, first = self.watched(inputs, layer)
            else:
                number, first = -1, place < len(self.layouts) and self.layouts[place]
            self.calls.append(number)
            self.channels_first.append(first)
            if noisy:
                self.normals[place] = math.prod(inputs.shape)
            elif layer.rate:
                drawn = _noise(layer, tuple(inputs.shape), first)
                self.masks[place] = Mask(_canonical(inputs.shape, first), _canonical(drawn, first))
            name = self.names[place] if place < len(self.names) else f"keras/{place}"
            if not name:
                return inputs
            draw = normal if noisy else uniform
            numbers = draw(self.seed, name, self.step, _canonical(inputs.shape, first))
            numbers = np.moveaxis(numbers, -1, 1) if first else numbers
            factor, offset = _formula(layer, numbers, first)
            out = inputs if factor is None else inputs * self.tf.constant(factor, inputs.dtype)
            return out if offset is None else out + self.tf.constant(offset, inputs.dtype)

        return call

    def _batch_norm(self, layer: Any) -> Handler:
        """In float64 Keras 2 takes the biased variance; what users run is its float32 kernel.

        Source: ``tf_keras/src/layers/normalization/batch_normalization.py``.
        """

        def call(own: Any, inputs: Any, *args: Any, training: Any = None, **kwargs: Any) -> Any:
            moved = training and layer.trainable and len(inputs.shape) == 4
            before: Any = layer.moving_variance.numpy() if moved else None
            with self.paused():  # PyTorch's momentum is rounded as Keras's is
                out = own(inputs, *args, training=training, **kwargs)
            if moved:
                kept = before * (1.0 - as_float32(1.0 - layer.momentum))
                axis = layer.axis if isinstance(layer.axis, int) else layer.axis[0]
                count = int(self.tf.size(inputs)) // inputs.shape[axis]
                bessel = count / max(count - 1, 1)
                layer.moving_variance.assign(kept + (layer.moving_variance - kept) * bessel)
            return out

        return call


def unshared(model: Any, reached: Collection[int]) -> list[str]:
    """Names of layers that draw random numbers which cannot be replaced.

    Args:
        model: that has run in training mode.
        reached: layers, by id, whose numbers were replaced.
    """
    return [
        layer.name
        for layer in layers_of(model)
        if (kind_of(layer) in RANDOM and id(layer) not in reached)
        or bool(getattr(layer, "recurrent_dropout", False))
        or (kind_of(layer) in ("LSTM", "GRU", "SimpleRNN") and layer.dropout)
    ]


def _formula(layer: Any, drawn: np.ndarray, first: bool) -> tuple[Any, Any]:
    """What the inputs are multiplied by, and what is added then; None: they are not.

    Source: ``keras/src/layers/regularization/``, and ``tf_keras``'s likewise.
    """
    numbers = drawn.astype(np.float64)
    if kind_of(layer) == "GaussianNoise":
        return None, numbers * layer.stddev
    rate = layer.rate
    if kind_of(layer) == "GaussianDropout":
        stddev = math.sqrt(rate / (1.0 - rate)) if rate < 1.0 else 0.0
        return 1.0 + numbers * stddev, None
    kept = numbers[tuple(slice(size) for size in _noise(layer, drawn.shape, first))] >= rate
    if kind_of(layer) != "AlphaDropout":
        return kept * (1.0 / (1.0 - rate) if rate < 1.0 else 0.0), None
    if not 0.0 < rate < 1.0:
        return None, None
    a = ((1.0 - rate) * (1.0 + rate * SELU_LIMIT**2)) ** -0.5
    return a * kept, a * SELU_LIMIT * (1.0 - kept) - a * SELU_LIMIT * rate


def _canonical(shape: Sequence[int], first: bool) -> tuple[int, ...]:
    """Sizes with those of channels at the end."""
    return (shape[0], *shape[2:], shape[1]) if first else tuple(shape)


def _noise(layer: Any, shape: tuple[int, ...], first: bool) -> tuple[int, ...]:
    """Shape of the mask."""
    if kind_of(layer) in SPATIAL:
        space = (1,) * (len(shape) - 2)
        return (*shape[:2], *space) if first else (shape[0], *space, shape[-1])
    given = layer.noise_shape or (None,) * len(shape)
    return tuple(size if own is None else own for own, size in zip(given, shape, strict=True))
