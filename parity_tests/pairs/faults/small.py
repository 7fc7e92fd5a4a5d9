"""A fault in a small Sequential model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import nn

from parity.constants import FLAVOURS
from parity_tests.pairs.zoo.building import filled
from parity_tests.support.fault import Fault, Pair

Training = Callable[[Any], Any]
"""A function of the Keras package: a loss or an optimizer by name, or one for each side."""


def fault(
    name: str,
    shape: tuple[Any, ...],
    layers: Callable[[Any], list[Any]],
    torch: Callable[[], nn.Module],
    layer: str,
    causes: tuple[str, ...],
    rung: str = "forward_eval",
    *,
    inject: Callable[[Any], object] | None = None,
    padded: bool = False,
    holes: bool = False,
    positive: tuple[str, ...] = (),
    scale: float = 1.0,
    loss: Training | None = None,
    optimizer: Training | None = None,
    targets: Any = "classes",
    flavours: tuple[str, ...] = FLAVOURS,
    **more: Any,
) -> Fault[Pair]:
    """A fault, with the models as a few layers.

    Args:
        name: see :class:`Fault`.
        shape: shape of the Keras input; (…, 'n') for whole numbers below n.
        layers: a function of ``keras.layers`` that builds those of a Sequential model.
        torch: see :class:`Pair`.
        layer: the Keras layer.
        causes: the ids.
        rung: the first rung that differs.
        inject: changes the module.
        padded: whether the sequences end in zeros.
        holes: whether a step within each sequence is zero.
        positive: names of Keras weights that are positive, besides variances.
        scale: factor of the inputs.
        loss: as :func:`parity.check` takes it; with a loss, training is compared.
        optimizer: likewise.
        targets: 'classes'; 'binary' for zeros and ones; 'shares' of the classes; or the shape of
            one example's numbers.
        flavours: see :class:`Pair`.
        more: further attributes of :class:`Fault`.
    """
    whole = isinstance(shape[-1], str)

    def keras_model(keras: Any) -> Any:
        begin = keras.Input(shape[1:-1], dtype="int32") if whole else keras.Input(shape[1:])
        return filled(keras.Sequential([begin, *layers(keras.layers)]), positive)

    def inputs() -> np.ndarray:
        rng = np.random.default_rng(5)
        x = rng.integers(1, int(shape[-1]), shape[:-1]) if whole else rng.standard_normal(shape)
        x = x if whole else x * scale
        for number in range(len(x) if padded else 0):
            x[number, 2 + number :] = 0
        if holes:
            x[:, 1] = 0
        return x

    def options(keras: Any) -> dict[str, Any]:
        if loss is None:
            return {}
        training = {"loss": loss(keras), "targets": _targets(targets, shape[0]), "steps": 3}
        return training | ({"optimizer": optimizer(keras)} if optimizer else {})

    pair = Pair(keras_model, torch, inputs, options, flavours)
    return Fault(
        name=name, models=pair, layer=layer, causes=causes, rung=rung, inject=inject, **more
    )


def _targets(kind: Any, count: int) -> np.ndarray:
    rng = np.random.default_rng(6)
    if kind == "classes":
        return rng.integers(0, 3, count)
    if kind == "binary":
        return rng.integers(0, 2, (count, 1)).astype(float)
    if kind == "shares":
        numbers = rng.random((count, 3))
        return np.asarray(numbers / numbers.sum(1, keepdims=True))
    return rng.standard_normal((count, *kind))
