"""Losses: both frameworks against the NumPy formula, where it is easy and where it is not."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity.adapters.backend import Backend
from parity.constants import as_float32
from parity.data import batches
from parity.errors import ParityError
from parity.ladder import record
from parity.numerics import tolerance
from parity.reference.losses.table import CROSSENTROPY, LOSSES
from parity.specs import objective
from parity.specs.base import PENALTIES, ModelSpec
from parity.specs.softmax import SoftmaxSpec
from parity.specs.training import TrainingSpec
from parity.specs.weights import probe_weights
from parity.verdict import compare
from parity_tests.support import cases

pytestmark = pytest.mark.flavour

HEADS = [("softmax", 10), ("sigmoid", 2)]
OTHERS = [name for name in LOSSES if name != CROSSENTROPY]
SMALL = ("softmax", "hidden_32_16-probabilities")


def spec_of(head: str, classes: int, output: str, flavour: str) -> SoftmaxSpec:
    return SoftmaxSpec(input_shape=(4,), classes=classes, head=head, output=output, flavour=flavour)


def outputs_of(spec: SoftmaxSpec, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and logits of the given size or the probabilities they give."""
    rng = np.random.default_rng(0)
    values = scale * rng.standard_normal((64, spec.outputs))
    if spec.output == "probabilities":
        if spec.head == "sigmoid":
            values = 1 / (1 + np.exp(-values))
        else:
            values = np.exp(values - values.max(1, keepdims=True))
            values /= values.sum(1, keepdims=True)
    return rng.integers(0, spec.classes, 64), values


def in_keras(
    spec: SoftmaxSpec, y: np.ndarray, outputs: np.ndarray, **training: Any
) -> tuple[float, np.ndarray]:
    """The loss, and its gradient with respect to the outputs."""
    from keras_impl.framework import set_dtype, tf
    from keras_impl.parts.losses import HeadLoss

    set_dtype("float64")
    with tf.GradientTape() as tape:
        x = tf.constant(outputs)
        tape.watch(x)
        loss = HeadLoss(spec, TrainingSpec(**training))(tf.constant(y), x)
    return float(loss), tape.gradient(loss, x).numpy()


def in_torch(
    spec: SoftmaxSpec, y: np.ndarray, outputs: np.ndarray, **training: Any
) -> tuple[float, np.ndarray]:
    """The same in PyTorch."""
    import torch

    from torch_impl.parts.losses import HeadLoss

    x = torch.from_numpy(outputs).requires_grad_()
    loss = HeadLoss(spec, TrainingSpec(**training))(torch.from_numpy(y), x)
    loss.backward()
    return loss.item(), x.grad.numpy()


@pytest.mark.parametrize("scale", [1.0, 10.0, 100.0])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("output", ["logits", "probabilities"])
@pytest.mark.parametrize(("head", "classes"), HEADS)
@pytest.mark.parametrize("framework", [in_keras, in_torch], ids=["keras", "torch"])
def test_loss_follows_the_formula(
    framework,
    head: str,
    classes: int,
    output: str,
    weighted: bool,
    smoothing: float,
    scale: float,
    flavour: str,
    keras_backend: Backend,
) -> None:
    """Moderate, large and extreme logits, the last of which clip every probability."""
    spec = spec_of(head, classes, output, flavour)
    weights = tuple(0.1 * (1 + number) for number in range(classes)) if weighted else ()
    y, outputs = outputs_of(spec, scale)
    training = {"class_weights": weights, "label_smoothing": smoothing}
    expected = objective.reference_loss(spec, y, outputs, **training)
    assert np.isfinite(expected)
    away = abs(framework(spec, y, outputs, **training)[0] - expected) / expected
    assert away <= tolerance.FLOAT64["loss"].limit
    plain = objective.reference_loss(spec, y, outputs, weights)
    assert (abs(expected - plain) > 1e-4 * plain) == bool(smoothing)


@pytest.mark.parametrize("scale", [1.0, 10.0])
@pytest.mark.parametrize("output", ["logits", "probabilities"])
@pytest.mark.parametrize(("head", "classes"), HEADS)
@pytest.mark.parametrize("loss", OTHERS)
def test_every_other_loss_follows_its_formula(
    loss: str,
    head: str,
    classes: int,
    output: str,
    scale: float,
    flavour: str,
    keras_backend: Backend,
) -> None:
    """Weighted by class, in both frameworks, whose gradients are the same; no two losses are."""
    spec = spec_of(head, classes, output, flavour)
    training: dict[str, Any] = {"class_weights": (0.3, 1.7) * (classes // 2), "loss": loss}
    if loss == "huber":
        training["huber_delta"] = 0.3
    if head not in LOSSES[loss].heads or output not in LOSSES[loss].outputs:
        with pytest.raises(ParityError, match=f"loss: received '{loss}' with (head|output) '"):
            objective.check_model(spec, TrainingSpec(**training))
        return
    y, outputs = outputs_of(spec, scale)
    expected = objective.reference_loss(spec, y, outputs, **training)
    (k, k_gradient), (t, t_gradient) = (
        framework(spec, y, outputs, **training) for framework in (in_keras, in_torch)
    )
    limit = tolerance.FLOAT64["loss"].limit
    assert abs(k - expected) <= limit * abs(expected)
    assert abs(t - expected) <= limit * abs(expected)
    furthest = abs(k_gradient - t_gradient).max()
    assert furthest <= tolerance.FLOAT64["gradients"].limit * abs(k_gradient).max()
    for other in set(OTHERS) - {loss}:
        if head in LOSSES[other].heads and output in LOSSES[other].outputs:
            apart = objective.reference_loss(spec, y, outputs, **{**training, "loss": other})
            assert abs(apart - expected) > 1e-6, other
    for change in ({"class_weights": ()}, {"huber_delta": 0.5} if loss == "huber" else {}):
        apart = objective.reference_loss(spec, y, outputs, **{**training, **change})
        assert not change or abs(apart - expected) > 1e-6, change


@pytest.mark.parametrize("loss", OTHERS)
def test_every_loss_is_the_same_on_every_rung(
    loss: str, flavour: str, keras_backend: Backend, torch_backend: Backend, tmp_path: Path
) -> None:
    """A small model of probabilities, which all losses take, from parameters to predictions."""
    spec = cases.spec_of(*SMALL, "sgd", flavour=flavour, **cases.recipe(loss))
    k = cases.record_of(keras_backend, spec, tmp_path / "k", steps=6)
    t = cases.record_of(torch_backend, spec, tmp_path / "t", steps=6)
    with record.read(k) as a, record.read(t) as b:
        comparison = compare.compare(a, b)
        assert comparison.same, comparison.failed
        steps = a.tensor("float64/steps/losses")
        assert len(set(steps)) == len(steps), "nothing was learnt"


@pytest.mark.parametrize("output", ["logits", "probabilities"])
@pytest.mark.parametrize(("head", "classes"), HEADS)
@pytest.mark.parametrize("framework", [in_keras, in_torch], ids=["keras", "torch"])
def test_class_weights_are_divided_by_the_batch(
    framework, head: str, classes: int, output: str, flavour: str, keras_backend: Backend
) -> None:
    """Σ w_y·ℓ / N, which is neither the plain mean nor Σ w_y·ℓ / Σ w_y."""
    spec = spec_of(head, classes, output, flavour)
    weights = tuple(0.1 * (1 + number) for number in range(classes))
    y, outputs = outputs_of(spec, 1.0)
    expected = objective.reference_loss(spec, y, outputs, weights)
    share = sum(float(np.float32(weights[label])) for label in y) / len(y)
    for other in (objective.reference_loss(spec, y, outputs), expected / share):
        assert abs(other - expected) > 1e-3 * expected
    away = abs(framework(spec, y, outputs, class_weights=weights)[0] - expected) / expected
    assert away <= tolerance.FLOAT64["loss"].limit


def penalty_of(
    spec: ModelSpec, weights: Mapping[str, np.ndarray], outputs: Mapping[str, np.ndarray]
) -> float:
    """λ₁·Σ|x| + λ₂·Σx² of kernels, biases and activities; the latter per example.

    Args:
        spec: the model, with the factors.
        weights: by canonical name; recurrent kernels have no penalty.
        outputs: output (N, …) of each layer in training, by layer name; only dense layers and
            convolutions have an activity penalty.
    """
    kernels = [value for name, value in weights.items() if name.endswith("/kernel")]
    biases = [value for name, value in weights.items() if name.endswith("/bias")]
    activities = [
        value
        for name, value in outputs.items()
        if f"{name}/kernel" in weights and f"{name}/recurrent_kernel" not in weights
    ]
    batch = len(activities[0])
    return (
        _l1_l2(spec.l1, spec.l2, kernels)
        + _l1_l2(spec.bias_l1, spec.bias_l2, biases)
        + _l1_l2(spec.activity_l1, spec.activity_l2, activities) / batch
    )


def _l1_l2(l1: float, l2: float, values: list[np.ndarray]) -> float:
    absolute = sum(np.abs(value).sum() for value in values)
    squares = sum((value**2).sum() for value in values)
    return float(as_float32(l1) * absolute + as_float32(l2) * squares)


@pytest.mark.parametrize(
    ("family", "variant"), [("softmax", "square"), ("cnn", "oblong"), ("rnn", "simple-1-bi-fixed")]
)
@pytest.mark.parametrize("which", ["keras_backend", "torch_backend"])
def test_each_penalty_is_paid_by_its_own(
    which: str, family: str, variant: str, flavour: str, request: pytest.FixtureRequest
) -> None:
    """The training loss rises by λ·Σ|x| or λ·Σx², λ rounded to float32, and by nothing else."""
    backend: Backend = request.getfixturevalue(which)
    spec = cases.spec_of(family, variant, flavour=flavour)
    train, _ = cases.splits_of(spec)
    batch = next(batches.chunks(spec, len(train.x), 1, 1)).first_batch(train)
    weights = probe_weights(spec.model, 0)
    plain = backend.create(spec, "float64")
    plain.set_weights(weights)
    loss, outputs = plain.loss(batch), plain.trace(batch, training=True)
    for name in PENALTIES:
        penalised = dataclasses.replace(spec, model=dataclasses.replace(spec.model, **{name: 0.3}))
        model = backend.create(penalised, "float64")
        model.set_weights(weights)
        expected = loss + penalty_of(penalised.model, weights, outputs)
        assert abs(model.loss(batch) - expected) <= tolerance.FLOAT64["loss"].limit * expected, name
        assert expected > 1.01 * loss, name


@pytest.mark.parametrize(("head", "classes"), HEADS)
def test_probabilities_are_taken_at_their_word(
    head: str, classes: int, flavour: str, keras_backend: Backend
) -> None:
    """Behind its own softmax Keras would go back to the logits; the head's loss does not.

    At logits of a hundred the clipped probabilities give another loss than the logits do.
    """
    from keras_impl.framework import keras, set_dtype, tf
    from keras_impl.parts.losses import HeadLoss

    set_dtype("float64")
    spec = spec_of(head, classes, "probabilities", flavour)
    logits_spec = spec_of(head, classes, "logits", flavour)
    y, logits = outputs_of(logits_spec, 100.0)

    @tf.function
    def computed(x):
        probabilities = keras.activations.get(head)(x)
        labels = tf.cast(y, x.dtype)[:, None] if head == "sigmoid" else tf.constant(y)
        loss = (
            keras.losses.BinaryCrossentropy()
            if head == "sigmoid"
            else (keras.losses.SparseCategoricalCrossentropy())
        )
        ours = HeadLoss(spec, TrainingSpec())
        return ours(tf.constant(y), probabilities), loss(labels, probabilities)

    ours, plain = (float(value) for value in computed(tf.constant(logits)))
    from_logits = objective.reference_loss(logits_spec, y, logits)
    assert abs(plain - from_logits) <= tolerance.FLOAT64["loss"].limit * from_logits
    assert abs(ours - from_logits) > 0.1 * from_logits


@pytest.mark.parametrize(("head", "classes"), HEADS)
def test_gradient_vanishes_where_probabilities_are_clipped(
    head: str, classes: int, flavour: str, keras_backend: Backend
) -> None:
    """Both give the same gradient with respect to probabilities, clipped ones included."""
    spec = spec_of(head, classes, "probabilities", flavour)
    k, t = (framework(spec, *outputs_of(spec, 10.0))[1] for framework in (in_keras, in_torch))
    assert (k == 0).any(), "nothing was clipped"
    assert abs(k - t).max() <= tolerance.FLOAT64["gradients"].limit * abs(k).max()
