"""How the time of a check grows with the number of layers: ``python -m benchmarks.layers``.

Equal dense layers in a chain, in evaluation, are the hardest to align. The time includes building
each model twice, in float64 and in float32.
"""

from __future__ import annotations

import sys
import time

import numpy as np

COUNTS = (20, 80, 320, 1000)
WIDTH = 16


def seconds(count: int) -> float:
    """The time of a check of so many layers."""
    import tf_keras as keras
    from torch import nn

    import parity

    def keras_model() -> keras.Model:
        x = y = keras.Input((WIDTH,))
        for number in range(count):
            y = keras.layers.Dense(WIDTH, name=f"dense_{number}")(y)
        return keras.Model(x, y)

    def torch_model() -> nn.Module:
        return nn.Sequential(*(nn.Linear(WIDTH, WIDTH) for _ in range(count)))

    x = np.random.default_rng(0).normal(size=(4, WIDTH))
    start = time.perf_counter()
    report = parity.check(keras_model, torch_model, x)
    if report.verdict != "same":
        raise RuntimeError(str(report))
    return time.perf_counter() - start


def main() -> None:
    """Print a line for each number of layers."""
    sys.setrecursionlimit(100_000)  # Keras follows a chain of layers by recursion
    seconds(2)  # imports
    for count in COUNTS:
        print(f"{count:5d} layers: {seconds(count):5.1f} s", flush=True)


if __name__ == "__main__":
    main()
