"""Caches, states and dtypes that a model keeps or sets by itself."""

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

TABLE = np.array([0.1, 0.7, -0.3])
X = numbers(4, 3)


def scaled(keras: Any) -> Any:
    """Its inputs are multiplied by a table of numbers."""
    import tensorflow as tf

    scale = keras.layers.Lambda(lambda x: x * tf.constant(TABLE, x.dtype))
    return fill(keras.Sequential([keras.Input((3,)), scale, keras.layers.Dense(2)]))


class Buffer(nn.Module):
    """A table in a buffer."""

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.register_buffer("table", table)
        self.fc = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Scaled."""
        return self.fc(x * self.table)


class Attribute(Buffer):
    """A table in a plain attribute."""

    def __init__(self, table: Tensor) -> None:
        super().__init__(table)
        del self.table
        self.table = [table]

    def forward(self, x: Tensor) -> Tensor:
        """Scaled."""
        return self.fc(x * self.table[0])


class Cached(Buffer):
    """A table that is made in the first call."""

    def __init__(self, table: Tensor) -> None:
        super().__init__(table)
        self.kept: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Scaled."""
        if self.kept is None:
            self.kept = (self.table * 2.0).float() / 2.0
        return self.fc(x * self.kept)


@pytest.mark.parametrize("kind", [Buffer, Attribute, Cached])
@pytest.mark.parametrize("given", ["a function", "an instance"])
@pytest.mark.parametrize("change", [0.0, 1e-3])
def test_constants_in_float32_are_promoted(
    keras: Any, kind: Callable[[Tensor], nn.Module], given: str, change: float
) -> None:
    """Rounding is no fault, and is reported; another number is one."""

    def build() -> nn.Module:
        return kind(torch.tensor([0.1, 0.7, -0.3 + change]))

    port = build if given == "a function" else build()
    report = check(scaled(keras), port, X, float32=False)
    assert report.verdict == ("different" if change else "same"), str(report)
    assert any(note.startswith("dtype.float32: PyTorch") for note in report.notes) != bool(change)


@pytest.mark.parametrize("power", [1.0, 1.01])
def test_computations_in_float32_are_promoted(keras: Any, power: float) -> None:
    """``dtype=torch.float32`` and ``float()`` within the forward pass, trained as well."""
    softmax = keras.layers.Softmax()
    model = fill(keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), softmax]))

    def forward(self: Any, x: Tensor) -> Tensor:
        y = self.fc(x).float() * power
        return torch.softmax(y, -1, dtype=torch.float32).type_as(x)

    loss = keras.losses.MeanSquaredError(), nn.MSELoss()
    port = Written(forward, fc=nn.Linear(3, 4))
    report = check(model, port, X, targets=numbers(4, 4), loss=loss, float32=False)
    assert report.verdict == ("same" if power == 1.0 else "different"), str(report)


class Carrying(nn.Module):
    """A recurrent layer that keeps its state."""

    def __init__(self, carries: bool) -> None:
        super().__init__()
        self.rnn, self.out = nn.RNN(3, 4, batch_first=True), nn.Linear(4, 2)
        self.rnn.bias_hh_l0.requires_grad_(False)
        self.state: Tensor | None = None
        self.carries = carries

    def forward(self, x: Tensor) -> Tensor:
        """The last step."""
        y, state = self.rnn(x, self.state)
        self.state = state.detach() if self.carries else None
        return self.out(y[:, -1])


@pytest.mark.parametrize("keras_carries", [False, True])
@pytest.mark.parametrize("torch_carries", [False, True])
def test_states_are_carried_by_both_or_neither(
    keras: Any, keras_carries: bool, torch_carries: bool
) -> None:
    """Every comparison starts from states of zero; from step to step they are carried."""
    layers = keras.layers
    rnn = layers.SimpleRNN(4, stateful=keras_carries, name="rnn")
    model = fill(keras.Sequential([keras.Input(batch_shape=(4, 5, 3)), rnn, layers.Dense(2)]))

    report = check(
        model,
        lambda: Carrying(torch_carries),
        numbers(4, 5, 3),
        targets=numbers(4, 2),
        loss=(keras.losses.MeanSquaredError(), nn.MSELoss()),
        optimizer=(keras.optimizers.SGD(0.1), lambda p: torch.optim.SGD(p, lr=0.1)),
        steps=3,
        float32=False,
    )
    same = keras_carries == torch_carries
    assert report.verdict == ("same" if same else "different"), str(report)
    assert [one.id for one in report.causes] == ([] if same else ["recurrent.stateful"])


def test_a_loss_that_is_not_reduced_is_a_fault(keras: Any) -> None:
    """PyTorch cannot train with it, whatever its mean is."""
    model = fill(keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]))
    loss = keras.losses.MeanSquaredError(), nn.MSELoss(reduction="none")
    report = check(model, nn.Linear(3, 2), X, targets=numbers(4, 2), loss=loss, float32=False)
    assert [one.id for one in report.causes] == ["loss.reduction"]


@pytest.mark.parametrize("blank", [0, 4])
def test_a_loss_may_exist_in_float32_only(keras: Any, blank: int) -> None:
    """TensorFlow's CTC: everything else is compared in float64."""
    import tensorflow as tf

    def own(y: Any, p: Any) -> Any:
        lengths = tf.fill([4], 2), tf.fill([4], 6)
        found = tf.nn.ctc_loss(
            tf.cast(y, "int32"), p, *lengths, logits_time_major=False, blank_index=0
        )
        return tf.reduce_mean(found)

    def other(p: Tensor, y: Tensor) -> Tensor:
        lengths = torch.full((4,), 6), torch.full((4,), 2)
        steps = p.log_softmax(-1).transpose(0, 1)
        return nn.functional.ctc_loss(steps, y.long(), *lengths, blank, "none").mean()

    model = fill(keras.Sequential([keras.Input((6, 3)), keras.layers.Dense(5)]))
    targets = np.random.default_rng(2).integers(1, 4, (4, 2))
    report = check(
        model,
        nn.Sequential(nn.Linear(3, 5)),
        numbers(4, 6, 3),
        targets=targets,
        loss=(own, other),
        float32=False,
    )
    assert report.verdict == ("same" if blank == 0 else "different"), str(report)
    assert report.dtype == "float64"
