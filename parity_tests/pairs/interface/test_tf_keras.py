"""``tf.keras``, as many import it: whichever Keras TensorFlow has under that name."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.flavour

SCRIPT = """
import numpy as np
import tensorflow as tf
from torch import nn

import parity

model = tf.keras.Sequential(
    [
        tf.keras.Input((6,)),
        tf.keras.layers.Dense(5, activation="relu"),
        tf.keras.layers.BatchNormalization(name="norm"),
        tf.keras.layers.Dense(3),
    ]
)
print(type(model).__module__.split(".")[0])
rng = np.random.default_rng(0)
arguments = {
    "targets": rng.integers(0, 3, 8),
    "loss": tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    "optimizer": tf.keras.optimizers.SGD(0.1),
    "steps": 1,
}
x = rng.normal(size=(8, 6))
for epsilon in (1e-3, 1e-5):
    norm = nn.BatchNorm1d(5, eps=epsilon, momentum=0.01)
    module = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), norm, nn.Linear(5, 3))
    report = parity.check(model, module, x, **arguments)
    print(*sorted({one.id for one in report.causes if "running" not in one.id}))
"""


def test_models_of_tf_keras(flavour: str) -> None:
    """Keras 3, or Keras 2 where the environment asks for it: a faithful port, and one that is not.

    (That PyTorch's running variance is unbiased is told of both.)
    """
    legacy = {"TF_USE_LEGACY_KERAS": "1" if flavour == "tf_keras" else "0"}
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, **legacy},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    package = {"tf_keras": "tf_keras", "keras3": "keras"}[flavour]
    assert ended.stdout.splitlines() == [package, "", "batch_norm.epsilon"]
