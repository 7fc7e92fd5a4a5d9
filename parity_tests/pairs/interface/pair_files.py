"""Pair files, written the way a user would."""

from __future__ import annotations

from pathlib import Path

PAIR = """
import numpy as np
import KERAS as keras
import torch
from torch import nn


def keras_model():
    return keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            keras.layers.Conv2D(4, 3, activation="relu", name="conv"),
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.Flatten(),
            keras.layers.Dense(5, name="head"),
        ]
    )


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4, eps=1e-3, momentum=0.01)
        self.out = nn.Linear(64, 5)

    def forward(self, x):
        return self.out(self.norm(torch.relu(self.features(x))).flatten(1))


def torch_model():
    return Net()


def inputs():
    return np.random.default_rng(0).normal(size=(2, 6, 6, 3))
"""
"""A faithful port; ``KERAS`` is replaced by the name of the Keras package."""

FAULT = ("eps=1e-3", "eps=1e-5")
"""The replacement that injects ``batch_norm.epsilon``."""


def write(folder: Path, flavour: str, *changes: tuple[str, str], name: str = "my_pair.py") -> Path:
    """Write the pair file, with some of its text replaced, and return its path."""
    text = PAIR.replace("KERAS", {"tf_keras": "tf_keras", "keras3": "keras"}[flavour])
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    path = folder / name
    path.write_text(text)
    return path
