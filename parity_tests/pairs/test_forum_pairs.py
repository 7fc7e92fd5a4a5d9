"""What users' pairs are made of besides layers: functions, learned statistics, shared paddings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from parity.errors import ParityError
from parity.pairs.check import check
from parity_tests.pairs.zoo.models import fill

pytestmark = pytest.mark.flavour

NUMBERS = np.random.default_rng(0)
X = NUMBERS.normal(size=(8, 6))


def halved(x: Any) -> Any:
    """A function of this module, which a configuration knows nothing of."""
    return x * HALF


HALF = 0.5


class Between(nn.Module):
    """Two layers, with something between them."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.one, self.two, self.function = nn.Linear(6, 5), nn.Linear(5, 3), function

    def forward(self, x: Tensor) -> Tensor:
        """Both."""
        return self.two(self.function(self.one(x)))


@pytest.mark.parametrize("scale", [0.5, 0.6])
def test_a_function_keeps_the_names_of_its_module(keras: Any, scale: float) -> None:
    """A Lambda is copied with the very function that the user gave."""
    layers = keras.layers
    stack = [layers.Dense(5), layers.Lambda(halved), layers.Dense(3)]
    model = fill(keras.Sequential([keras.Input((6,)), *stack]))
    report = check(model, Between(lambda x: x * scale), X, float32=False)
    assert report.dtype == "float64"
    assert report.verdict == ("same" if scale == HALF else "different")
    assert keras.layers.Lambda(halved).get_config(), "the class is as it was"


@pytest.mark.parametrize("known", [True, False])
def test_statistics_learned_before_training_are_copied(keras: Any, known: bool) -> None:
    """A Normalization that was adapted is so in float64."""
    norm = keras.layers.Normalization()
    norm.adapt((X * 3.0 + 1.0).astype("float32"))
    mean, variance = (np.array(one).ravel() for one in (norm.mean, norm.variance))
    layers = [norm, keras.layers.Dense(5), keras.layers.Dense(3)]
    model = fill(keras.Sequential([keras.Input((6,)), *layers]))
    own = [torch.from_numpy(one).double() for one in (mean, variance)]

    class Port(Between):
        def forward(self, x: Tensor) -> Tensor:
            if known:
                x = (x - own[0].to(x.dtype)) / own[1].to(x.dtype).sqrt()
            return super().forward(x)

    norm.adapt_mean.assign(mean)  # ``fill`` gives every weight another value
    norm.adapt_variance.assign(variance)
    report = check(model, Port(lambda x: x), X, float32=False)
    assert report.verdict == ("same" if known else "different"), str(report)


class Gates(nn.Module):
    """Two convolutions of one padded sequence, side by side."""

    def __init__(self, first: bool) -> None:
        super().__init__()
        self.left, self.right, self.first = nn.Conv1d(6, 4, 2), nn.Conv1d(6, 4, 2), first
        self.start = nn.Conv1d(6, 6, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Of a sequence (N, C, T), padded before it or behind it."""
        x = F.pad(self.start(x), (1, 0) if self.first else (0, 1))
        return (torch.tanh(self.left(x)) * torch.sigmoid(self.right(x))).transpose(1, 2)


@pytest.mark.parametrize("first", [True, False])
def test_a_padding_belongs_to_all_that_it_feeds(keras: Any, first: bool) -> None:
    """It is no layer that Keras lacks; on the wrong side it is a fault of either convolution."""
    layers = keras.layers
    inputs = keras.Input((7, 6))
    x = layers.Conv1D(6, 1)(inputs)
    given = {"padding": "causal"}
    left = layers.Conv1D(4, 2, activation="tanh", name="left", **given)(x)
    right = layers.Conv1D(4, 2, activation="sigmoid", name="right", **given)(x)
    model = fill(keras.Model(inputs, layers.Multiply()([left, right])))
    report = check(model, Gates(first), NUMBERS.normal(size=(2, 7, 6)), float32=False)
    assert report.torch_only == ()
    names = [] if first else [("conv.causal_padding", name) for name in ("left", "right")]
    assert [(one.id, one.layer) for one in report.causes] == names, str(report)


def test_a_gradient_that_pytorch_rounds_is_no_fault(keras: Any) -> None:
    """Of a hard sigmoid PyTorch takes 1/6 as float32 backwards, in float64 too."""

    def hard(x: Any) -> Any:
        return keras.activations.relu(x + 3.0, max_value=6.0) / 6.0

    layers = [keras.layers.Dense(5, activation=hard), keras.layers.Dense(3)]
    model = fill(keras.Sequential([keras.Input((6,)), *layers]))
    trained = {"targets": NUMBERS.normal(size=(8, 3)), "loss": "mse", "optimizer": "adam"}
    report = check(model, Between(F.hardsigmoid), X, **trained, steps=3)
    assert report.verdict == "same", str(report)


@pytest.mark.parametrize("trained", [False, True])
def test_a_setting_that_training_alone_shows(keras: Any, trained: bool) -> None:
    """Dropout makes larger what it keeps: then a bound is reached that is latent in evaluation."""
    layers = keras.layers
    stack = [layers.Dense(5, name="one"), layers.Dropout(0.98), layers.ReLU(6.0, name="bounded")]
    model = fill(keras.Sequential([keras.Input((6,)), *stack, layers.Dense(3, name="two")]))
    module = Between(nn.Sequential(nn.Dropout(0.98), nn.ReLU()))
    x = NUMBERS.normal(size=(200, 6))
    given = {"targets": NUMBERS.normal(size=(200, 3)), "loss": "mse"} if trained else {}
    report = check(model, module, x, **given)
    assert report.verdict == ("different" if trained else "same"), str(report)
    told = report.causes if trained else report.latent
    assert [(one.id, one.layer) for one in told] == [("relu.max_value", "bounded")], str(report)
    if trained:
        assert report.first_divergence is not None
        assert report.first_divergence.rung == "forward_train"
        assert report.first_divergence.keras_layer == "bounded"


def test_a_model_that_draws_in_evaluation_is_refused(keras: Any) -> None:
    """Where Keras's outputs differ from call to call there is nothing to be the same as."""
    import tensorflow as tf

    noise = keras.layers.Lambda(lambda x: x + tf.random.normal(tf.shape(x), dtype=x.dtype))
    layers = [keras.layers.Dense(5), noise, keras.layers.Dense(3)]
    model = fill(keras.Sequential([keras.Input((6,)), *layers]))
    with pytest.raises(ParityError, match="keras_model: received Sequential, whose out") as raised:
        check(model, Between(lambda x: x), X)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "function",
    [lambda y: y + torch.randn_like(y), lambda y: F.dropout(y, 0.5)],
    ids=["noise", "dropout"],
)
def test_a_port_that_draws_in_evaluation_is_told(
    function: Callable[[Tensor], Tensor], keras: Any
) -> None:
    """It is a fault, and no setting of a layer is its cause."""
    layers = [keras.layers.Dense(5), keras.layers.Dense(3)]
    model = fill(keras.Sequential([keras.Input((6,)), *layers]))
    report = check(model, Between(function), X)
    assert report.verdict == "different"
    assert any("draws random numbers where it must not" in note for note in report.notes)
    assert {one.id for one in report.causes} <= {"unknown", "structure.extra"}, str(report)


def flattened(x: Any, shape: tuple[int, ...]) -> Any:
    """A function with an argument, which is a tuple."""
    import tensorflow as tf

    return tf.reshape(x, shape)


def test_a_function_keeps_its_arguments_and_its_mask(keras: Any) -> None:
    """Steps behind a Lambda are masked as they are in the user's model."""
    layers = keras.layers
    passing = layers.Lambda(halved, output_shape=(None, 4), mask=lambda _, mask: mask)
    shaped = layers.Lambda(flattened, output_shape=(3,), arguments={"shape": (-1, 3)})
    stack = [layers.Embedding(9, 4, mask_zero=True), passing, layers.SimpleRNN(3), shaped]
    model = fill(keras.Sequential([keras.Input((5,)), *stack, layers.Dense(2)]))
    tokens = np.array([[1, 2, 3, 0, 0], [4, 5, 6, 7, 8]])

    class Port(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Embedding(9, 4), nn.RNN(4, 3, batch_first=True)
            self.three = nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            steps, _ = self.two(self.one(x) * HALF)
            return self.three(steps[torch.arange(len(x)), (x != 0).sum(1) - 1])

    report = check(model, Port(), tokens, float32=False)
    assert (report.verdict, report.dtype) == ("same", "float64"), str(report)


def test_what_is_computed_again_backwards_trains(keras: Any) -> None:
    """PyTorch's checkpoints, of the kind that takes gradients of everything or of nothing."""
    from torch.utils.checkpoint import checkpoint

    layers = [keras.layers.Dense(5, activation="tanh"), keras.layers.Dense(3)]
    model = fill(keras.Sequential([keras.Input((6,)), *layers]))
    trained = {"targets": NUMBERS.normal(size=(8, 3)), "loss": "mse", "optimizer": "sgd"}

    class Port(Between):
        def forward(self, x: Tensor) -> Tensor:
            y = self.one(x).requires_grad_()
            return self.two(checkpoint(torch.tanh, y, use_reentrant=True))

    report = check(model, Port(torch.tanh), X, **trained, steps=2)
    assert report.verdict == "same", str(report)


def test_a_model_of_which_nothing_trains_takes_no_step(keras: Any) -> None:
    """All layers frozen on both sides: the same."""
    layers = [keras.layers.Dense(5, activation="tanh"), keras.layers.Dense(3)]
    model = fill(keras.Sequential([keras.Input((6,)), *layers]))
    model.trainable = False
    module = Between(torch.tanh).requires_grad_(False)
    trained = {"targets": NUMBERS.normal(size=(8, 3)), "loss": "mse"}
    own = (keras.optimizers.SGD(0.1), lambda parameters: torch.optim.SGD(parameters, lr=0.1))
    report = check(model, module, X, **trained, optimizer=own, steps=2)
    assert report.verdict == "same", str(report)
