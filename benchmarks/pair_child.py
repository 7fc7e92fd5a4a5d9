"""One ``parity.check`` for ``benchmarks.pair``: seconds, peak memory and verdict as a JSON line."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from parity.system.memory import PeakMemory

SIZE, BATCH, WIDTH = 224, 4, 8192

PLAIN = "TF_ENABLE_ONEDNN_OPTS=0"
"""Set for pairs with this name: TensorFlow then returns unused memory to the system."""

Arguments = tuple[Any, Any, np.ndarray, dict[str, Any]]


def mobilenet(fault: bool = False, trained: bool = False) -> Arguments:
    """``tf_keras.applications`` MobileNetV2 against ours, float64.

    Args:
        fault: leave batch norm and the padding of strided convolutions as PyTorch has them.
        trained: compare loss, gradients and one step of SGD as well.
    """
    import tf_keras as keras
    from torch import nn

    from parity_tests.pairs.zoo.models import fill
    from parity_tests.real_pairs.mobilenet_v2 import ConvNorm, MobileNetV2

    made = keras.applications.MobileNetV2(weights=None, input_shape=(SIZE, SIZE, 3), classes=10)
    module = MobileNetV2(10)
    for one in module.modules() if fault else ():
        if isinstance(one, nn.BatchNorm2d):
            one.eps = 1e-5
        if isinstance(one, ConvNorm) and one.sides == (0, 1, 0, 1):
            one.sides = (1, 1, 1, 1)
    numbers = np.random.default_rng(0)
    x = numbers.normal(size=(BATCH, SIZE, SIZE, 3))
    training: dict[str, Any] = {
        "targets": numbers.integers(0, 10, BATCH),
        "loss": "sparse_categorical_crossentropy",
        "optimizer": "sgd",
        "steps": 1,
    }
    return fill(made, 0.05), module, x, training if trained else {}


def dense(trained: bool = False) -> Arguments:
    """Three dense layers of 67 million weights each, of which both models are float32.

    Args:
        trained: compare loss and gradients as well.
    """
    import tf_keras as keras
    from torch import nn

    layers = [keras.layers.Dense(WIDTH, activation="relu") for _ in range(3)]
    made = keras.Sequential([keras.Input((WIDTH,)), *layers])
    module = nn.Sequential(*(one for _ in range(3) for one in (nn.Linear(WIDTH, WIDTH), nn.ReLU())))
    x = np.random.default_rng(0).normal(size=(BATCH, WIDTH))
    training: dict[str, Any] = {"targets": np.ones((BATCH, WIDTH)), "loss": "mse"}
    return made, module, x, training if trained else {}


PAIRS: dict[str, Callable[[], Arguments]] = {
    "MobileNetV2": mobilenet,
    "MobileNetV2, PyTorch's defaults": lambda: mobilenet(fault=True),
    "MobileNetV2, trained": lambda: mobilenet(trained=True),
    "MobileNetV2, PyTorch's defaults, trained": lambda: mobilenet(fault=True, trained=True),
    "200 million weights": dense,
    f"200 million weights, trained, {PLAIN}": lambda: dense(trained=True),
}
"""The pairs by name; the models are built before the time is measured."""


def main() -> None:
    """Check one pair and print the figures."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if PLAIN in sys.argv[1]:
        os.environ.setdefault(*PLAIN.split("="))
    from parity.pairs.check import check

    memory = PeakMemory()
    keras, torch, x, training = PAIRS[sys.argv[1]]()
    began = time.perf_counter()
    report = check(keras, torch, x, **training)
    seconds = time.perf_counter() - began
    told = {"seconds": seconds, "memory": memory.bytes(), "verdict": report.verdict}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
