"""Wrong weights, inputs and outputs to compare with: each hides a fault in a small real model."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from torch import Tensor
from torch.nn import functional as F

import parity.specs.weights
import torch_impl.ladder.weights
from parity.adapters.backend import Backend
from parity.data import batches
from parity.data.datasets import Split
from parity.ladder import climb
from parity.specs.weights import initial_weights, probe_weights
from parity_tests.meta.faults.dense import detached
from parity_tests.meta.faults.loss import of_loss, saturated_logits
from parity_tests.meta.planting import around, every, replaced
from parity_tests.meta.traps.pairs import Record, compared, passes, recorder
from parity_tests.support import cases
from torch_impl.ladder.weights import Place
from torch_impl.parts.layers import SharedDropout
from torch_impl.parts.losses import HeadLoss

FORWARD = ("forward_eval", "forward_train", "loss")


@pytest.fixture
def recorded(tmp_path: Path) -> Record:
    return recorder(tmp_path)


def biases_exchanged(into: Tensor, recurrent: Tensor) -> Place:
    """Swap the input bias and the recurrent bias of a GRU, when writing and when reading."""
    return GRU_BIASES(recurrent, into)


GRU_BIASES = torch_impl.ladder.weights.gru_biases


def test_zero_biases(
    monkeypatch: pytest.MonkeyPatch,
    recorded: Record,
    keras_backend: Backend,
    torch_backend: Backend,
) -> None:
    """Initial weights: biases are zero, so swapping two of them changes no output."""
    spec = cases.spec_of("rnn", "gru_after-1-uni-fixed")
    replaced(torch_impl.ladder.weights, "gru_biases", biases_exchanged)(monkeypatch)
    k, t = recorded(keras_backend, spec), recorded(torch_backend, spec)
    with compared(k, t) as comparison:
        assert comparison.first
        assert (comparison.first.rung, comparison.first.tensor) == ("forward_eval", "rnn_1")
    monkeypatch.setattr(parity.specs.weights, "probe_weights", initial_weights)
    k, t = recorded(keras_backend, spec), recorded(torch_backend, spec)
    with compared(k, t) as comparison:
        assert passes(comparison, *FORWARD)


def test_all_ones_inputs(
    monkeypatch: pytest.MonkeyPatch,
    recorded: Record,
    keras_backend: Backend,
    torch_backend: Backend,
) -> None:
    """Constant inputs: a network that permutes its inputs trains the same."""
    spec = cases.spec_of("softmax", "regression-logits", "sgd")
    around("flatten", lambda forward, x: forward(x).flip(1))(monkeypatch)
    k, t = recorded(keras_backend, spec), recorded(torch_backend, spec)
    with compared(k, t) as comparison:
        assert comparison.first
        assert (comparison.first.rung, comparison.first.tensor) == ("forward_eval", "flatten")
    splits_of = cases.splits_of

    def of_ones(split: Split) -> Split:
        return dataclasses.replace(split, x=np.ones_like(split.x))

    monkeypatch.setattr(cases, "splits_of", lambda spec: tuple(map(of_ones, splits_of(spec))))
    k, t = recorded(keras_backend, spec), recorded(torch_backend, spec)
    with compared(k, t) as comparison:
        assert comparison.same


def test_evaluation_alone(
    monkeypatch: pytest.MonkeyPatch,
    recorded: Record,
    keras_backend: Backend,
    torch_backend: Backend,
) -> None:
    """Evaluation mode only: dropout without rescaling passes."""
    spec = cases.spec_of("dropout", "rate_0.5", "sgd")
    every(SharedDropout, scale=1.0)(monkeypatch)
    with compared(recorded(keras_backend, spec), recorded(torch_backend, spec)) as comparison:
        assert passes(comparison, "parameters", "forward_eval")
        assert comparison.first
        assert (comparison.first.rung, comparison.first.tensor) == ("forward_train", "dropout_1")


def test_gradients_below_the_top(
    monkeypatch: pytest.MonkeyPatch,
    recorded: Record,
    keras_backend: Backend,
    torch_backend: Backend,
) -> None:
    """Last layer only: a detached layer below it leaves its gradient unchanged."""
    spec = cases.spec_of("softmax", "hidden_32_16-logits", "sgd")
    around("logits", detached)(monkeypatch)
    with compared(recorded(keras_backend, spec), recorded(torch_backend, spec)) as comparison:
        assert passes(comparison, *FORWARD)
        top = [c for c in comparison.checks if c.rung == "gradients" and "logits" in c.tensor]
        assert top
        assert all(check.ok for check in top)
        failed = {check.tensor for check in comparison.failed if check.rung == "gradients"}
        below = {f"dense_{number}/{name}" for number in (1, 2) for name in ("kernel", "bias")}
        assert below <= failed


def test_padded_steps(keras_backend: Backend, torch_backend: Backend) -> None:
    """Padded steps: Keras repeats the last output and PyTorch returns zero; neither is used."""
    spec = cases.spec_of("rnn", "simple-2-uni-variable")
    train, _ = cases.splits_of(spec)
    batch = next(batches.chunks(spec, len(train.x), 1, 1)).first_batch(train)
    weights, traced = probe_weights(spec.model, 0), []
    for backend in (keras_backend, torch_backend):
        model = backend.create(spec, "float64")
        model.set_weights(weights)
        traced.append(model.trace(batch, training=False))
    raw = abs(traced[0]["rnn_1"] - traced[1]["rnn_1"])
    assert raw.max() > 0.01
    k, t = (batch.zero_padding(values)["rnn_1"] for values in traced)
    assert abs(k - t).max() < 1e-12
    for row, length in enumerate(batch.lengths):  # up to its end all of it is compared
        assert np.array_equal(t[row, :length], traced[1]["rnn_1"][row, :length])
        assert not t[row, length:].any()


@pytest.mark.flavour
def test_native_masks(flavour: str, keras_backend: Backend) -> None:
    """Equal seeds: Keras's own dropout draws different masks in float32 and in float64."""
    from keras_impl.framework import keras, tf

    native = []
    for dtype in ("float32", "float64"):
        layer = keras.layers.Dropout(0.5, seed=1, dtype=dtype)
        native.append(layer(tf.ones((4, 25), dtype), training=True).numpy() != 0)
    assert not np.array_equal(*native)
    spec = cases.spec_of("dropout", "rate_0.5", "sgd", flavour=flavour)
    ladder = climb.climb(
        keras_backend, spec, *cases.splits_of(spec), ("float64", "float32"), 1, ensemble=False
    )
    ours = [ladder.tensors[f"{d}/forward_train/dropout_1/mask"] for d in ("float64", "float32")]
    assert np.array_equal(*ours)
    for dtype, mask in zip(("float64", "float32"), ours, strict=True):  # and they were used
        dropped = ladder.tensors[f"{dtype}/forward_train/dropout_1"][~mask]
        assert dropped.size
        assert not dropped.any()


@pytest.mark.flavour
def test_set_floatx(flavour: str, keras_backend: Backend) -> None:
    """``set_floatx``: after a first float32 layer, it alone leaves new layers in float32."""
    from keras_impl.framework import keras, tf

    spec = cases.spec_of("softmax", "regression-logits", flavour=flavour)
    keras_backend.create(spec, "float32")
    keras.backend.set_floatx("float64")
    assert keras.layers.Dense(2)(tf.ones((1, 3), tf.float64)).dtype == tf.float32
    model = keras_backend.create(spec, "float64")
    outputs = model.outputs(cases.splits_of(spec)[1])
    assert outputs.dtype == np.float64
    assert not np.array_equal(outputs, outputs.astype(np.float32))


def of_the_logits(original: object, self: HeadLoss, y: Tensor, outputs: Tensor) -> Tensor:
    """Loss of probabilities: without clipping it equals the loss of the logits."""
    return F.nll_loss(outputs.log(), y)


@pytest.mark.flavour
def test_cross_entropy_on_probabilities(
    monkeypatch: pytest.MonkeyPatch,
    recorded: Record,
    flavour: str,
    keras_backend: Backend,
    torch_backend: Backend,
) -> None:
    """Softmax output: Keras recovers the logits from it, which hides the clipping."""
    import keras_impl.parts.losses

    spec = cases.spec_of("softmax", "regression-probabilities", "sgd", flavour=flavour)
    saturated_logits(monkeypatch)  # or nothing is clipped
    k = recorded(keras_backend, spec)
    of_loss(of_the_logits)(monkeypatch)
    t = recorded(torch_backend, spec)
    with compared(k, t) as comparison:
        assert comparison.first
        assert (comparison.first.rung, comparison.first.tensor) == ("loss", "loss")
    monkeypatch.setattr(keras_impl.parts.losses, "tf", SimpleNamespace(identity=lambda x: x))
    with compared(recorded(keras_backend, spec), t) as comparison:
        assert passes(comparison, "loss")
