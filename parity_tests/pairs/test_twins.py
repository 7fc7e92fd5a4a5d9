"""The project's own twins as a pair: the same with training, and each fault named."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import torch_impl.ladder.network
import torch_impl.ladder.training
import torch_impl.parts.losses
from parity.adapters.backend import Backend
from parity.pairs.twins import check_twins, first_batch
from parity.report.report import Report
from parity.verdict.result import UNKNOWN
from parity_tests.meta.planting import Plant, adjusted, every, wrapped
from parity_tests.support import cases
from parity_tests.support.selection import first_of_each
from torch_impl.ladder.weights import Place
from torch_impl.parts.layers import BatchNorm2d, SameConv2d, SharedDropout

pytestmark = pytest.mark.flavour

Check = Callable[..., Report]

CLEAN = [
    ("softmax", "hidden_32_16-logits", "adam"),
    ("softmax", "layer_norm", "rmsprop"),
    ("softmax", "max_norm", "sgd"),
    ("softmax", "penalties", "adam"),
    ("dropout", "two_hidden", "adam"),
    ("dropout", "alpha", "sgd"),
    ("dropout", "gaussian", "momentum"),
    ("cnn", "bn-c1-k3-s1-n8", "adam"),
    ("cnn", "equal_channels", "nesterov"),
    ("cnn", "noise", "adam"),
    ("cnn", "penalties", "sgd"),
    ("rnn", "tokens-gru", "adam"),
    ("rnn", "gru_before-1-bi-variable", "sgd"),
    ("rnn", "lstm-2-uni-variable", "adam"),
]
"""Of each family several variants, which together hold every layer that the families have."""


@pytest.fixture
def twins(flavour: str, keras_backend: Backend, torch_backend: Backend) -> Check:
    """Check a variant of a family with an optimizer, in three steps."""

    def checked(family: str, variant: str, optimizer: str = "sgd", recipe: str = "") -> Report:
        fields = cases.recipe(recipe)
        spec = cases.spec_of(family, variant, optimizer, flavour=flavour, **fields)
        batch = first_batch(spec, cases.splits_of(spec)[0])
        return check_twins(keras_backend, torch_backend, spec, batch, steps=3)

    return checked


@pytest.mark.parametrize(
    ("family", "variant", "optimizer"),
    first_of_each(CLEAN, lambda *row: row, lambda family, *_: family),
)
def test_twins_are_the_same_with_training(
    family: str, variant: str, optimizer: str, twins: Check
) -> None:
    """Every rung up to the optimizer's steps passes, and no layer lacks a reference."""
    report = twins(family, variant, optimizer)
    assert report.verdict == "same", str(report)
    assert {one.status for one in report.rungs} == {"passed"}
    assert report.rungs[-1].name == "steps"
    assert all(one.known for one in report.compared)


CNN = ("cnn", "bn-c1-k3-s1-n8")


def summed(original: Callable[..., Any], self: Any, y: Any, outputs: Any) -> Any:
    return original(self, y, outputs) * len(y)


def other_epsilon(original: Callable[..., Any], spec: Any, *others: Any) -> Any:
    return original(replace(spec, epsilon=1e-3), *others)


def unpadded(original: Callable[..., Any], self: nn.Conv2d, x: Any) -> Any:
    """Put the odd zero of a 'same' padding, and all others, to the bottom and right."""
    (kernel, _), _ = self.kernel_size, self.stride
    padded = nn.functional.pad(x, (0, kernel - 1, 0, kernel - 1))
    return nn.functional.conv2d(padded, self.weight, self.bias, self.stride)


def with_relu(model: nn.Module) -> None:
    rnn = model.rnn[0].rnn
    rnn.nonlinearity, rnn.mode = "relu", "RNN_RELU"


def last_gates_exchanged(original: Callable[..., dict[str, Place]], model: nn.Module) -> Any:
    """Load the output gate of an LSTM as its candidate, and the other way round."""

    def loaded(place: Place, value: Tensor) -> tuple[Tensor, ...]:
        i, f, c, o = value.chunk(4, -1)
        return place.from_canonical(torch.cat((i, f, o, c), -1))

    return {
        name: replace(place, from_canonical=functools.partial(loaded, place))
        if name.startswith("rnn_1/")
        else place
        for name, place in original(model).items()
    }


FAULTS: list[tuple[str, Plant, tuple[str, ...], str]] = [
    ("batch_norm.epsilon", every(BatchNorm2d, eps=1e-5), CNN, "batch_norm_1"),
    ("batch_norm.momentum", every(BatchNorm2d, momentum=0.1), CNN, "batch_norm_1"),
    ("conv.same_padding", wrapped(SameConv2d, "forward", unpadded), CNN, "conv_1"),
    ("dropout.rate", every(SharedDropout, rate=0.25), ("dropout", "rate_0.5"), "dropout_1"),
    ("layer_norm.epsilon", every(nn.LayerNorm, eps=1e-5), ("softmax", "layer_norm"),
     "layer_norm_1"),
    ("leaky_relu.slope", every(nn.LeakyReLU, negative_slope=0.01), ("softmax", "leaky_relu"),
     "dense_activation_1"),
    ("loss.reduction", wrapped(torch_impl.parts.losses.HeadLoss, "forward", summed),
     ("softmax", "hidden_32_16-logits"), "loss"),
    ("simple_rnn.activation", adjusted(with_relu), ("rnn", "simple-1-uni-fixed"), "rnn_1"),
    ("lstm.gate_order",
     wrapped(torch_impl.ladder.network, "by_canonical_name", last_gates_exchanged),
     ("rnn", "lstm-1-uni-fixed"), "rnn_1"),
    ("adam.epsilon", wrapped(torch_impl.ladder.training, "optimizer_for", other_epsilon),
     ("softmax", "hidden_32_16-logits", "adam"), "dense_1"),
]  # fmt: skip
"""Cause, what is planted into the PyTorch twin, the model, and the layer of the first cause."""


@pytest.mark.parametrize(
    ("cause", "plant", "case", "layer"),
    first_of_each(
        FAULTS,
        lambda cause, *_: cause,
        lambda cause, plant, case, layer: case[0],
        lambda cause, *_: cause,
    ),
)
def test_fault_in_a_twin_is_named(
    cause: str,
    plant: Plant,
    case: tuple[str, ...],
    layer: str,
    twins: Check,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first cause has the catalogue's id, the Keras layer, and a proof."""
    plant(monkeypatch)
    report = twins(*case)
    assert report.verdict == "different"
    assert {one.id for one in report.causes} - {UNKNOWN} == {cause}, str(report)
    first = report.causes[0]
    assert first.layer == layer
    assert first.proof
    assert first.proof.after < 1e-9 < first.proof.before
