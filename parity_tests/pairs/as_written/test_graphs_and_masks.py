"""Scripted, traced and exported modules; attention masks of every shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from parity.pairs.check import check
from parity_tests.pairs.as_written.models import Written, numbers
from parity_tests.pairs.zoo.models import fill

pytestmark = pytest.mark.flavour

EXAMPLE = torch.zeros(3, 2, 6, 6)


class Net(nn.Module):
    """A small convolutional network."""

    def __init__(self, negative: bool) -> None:
        super().__init__()
        self.conv, self.out, self.negative = nn.Conv2d(2, 3, 3), nn.Linear(3, 2), negative

    def forward(self, x: Tensor) -> Tensor:
        """Pooled over space."""
        y = self.conv(x)
        y = torch.sigmoid(y) if self.negative else torch.relu(y)
        return self.out(y.mean((2, 3)))


GRAPHS: dict[str, Callable[[nn.Module], Any]] = {
    "scripted": torch.jit.script,
    "traced": lambda module: torch.jit.trace(module, EXAMPLE),
    "exported": lambda module: torch.export.export(module, (EXAMPLE,)).module(),
    "symbolic": torch.fx.symbolic_trace,
}


@pytest.mark.filterwarnings("ignore")  # PyTorch calls scripting deprecated
@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("wrong", [False, True])
def test_graphs_are_compared_layer_by_layer(keras: Any, name: str, wrong: bool) -> None:
    """Their operations are read as the functions that users write."""
    layers = keras.layers
    stack = [layers.Conv2D(3, 3, activation="relu"), layers.GlobalAveragePooling2D()]
    model = fill(keras.Sequential([keras.Input((6, 6, 2)), *stack, layers.Dense(2)]))
    report = check(
        model,
        lambda: GRAPHS[name](Net(wrong)),
        numbers(3, 6, 6, 2),
        targets=numbers(3, 2),
        loss=(keras.losses.MeanSquaredError(), nn.MSELoss()),
        float32=False,
    )
    assert report.verdict == ("different" if wrong else "same"), str(report)
    named = [one.id for one in report.causes if one.rung == "forward_eval"]
    assert named == (["activation.function"] if wrong else [])


PAST = np.tril(np.ones((4, 4), bool))
KEYS = np.array([[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 0, 0]], bool)
HEADS = np.stack([PAST, np.ones((4, 4), bool)])

MASKS: dict[str, tuple[np.ndarray, np.ndarray]] = {
    "(T, S)": (PAST, PAST),
    "(1, T, S)": (PAST[None], PAST),
    "(N, 1, S)": (KEYS[:, None], KEYS[:, None] & np.ones((4, 4), bool)),
    "(N, T, S)": (KEYS[:, None] & PAST, KEYS[:, None] & PAST),
    "(N, 1, 1, S)": (KEYS[:, None, None], KEYS[:, None] & np.ones((4, 4), bool)),
    "(N, heads, T, S)": (np.stack([HEADS] * 3), np.stack([HEADS] * 3)),
}


@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize("added", [False, True])
@pytest.mark.parametrize("wrong", [False, True])
def test_masks_may_have_any_shape(keras: Any, name: str, added: bool, wrong: bool) -> None:
    """Boolean or added to the scores; the cause of a wrong one is the mask."""
    import tensorflow as tf

    own, allowed = MASKS[name]
    x = keras.Input((4, 6))
    mask = keras.layers.Lambda(lambda _: tf.constant(own))(x)
    attention = keras.layers.MultiHeadAttention(2, 3, name="mha")
    model = fill(keras.Model(x, attention(x, x, attention_mask=mask)))
    allowed = np.broadcast_to(
        allowed if allowed.ndim == 4 else allowed[..., None, :, :], (3, 2, 4, 4)
    )
    ignored = torch.tensor(~allowed.reshape(6, 4, 4))
    if wrong:
        ignored[:, -1, 0] = True

    def forward(self: Any, y: Tensor) -> Tensor:
        rule = torch.zeros(6, 4, 4, dtype=y.dtype).masked_fill(ignored, -1e9) if added else ignored
        return self.mha(y, y, y, attn_mask=rule, need_weights=False)[0]

    port = Written(forward, mha=nn.MultiheadAttention(6, 2, batch_first=True))
    report = check(model, port, numbers(3, 4, 6), float32=False)
    assert report.verdict == ("different" if wrong else "same"), str(report)
    assert [one.id for one in report.causes] == (["attention.mask"] if wrong else [])
