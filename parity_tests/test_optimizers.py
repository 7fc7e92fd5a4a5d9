"""Optimizers: ten steps in float64 against the NumPy formula, in both frameworks."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from parity import optimizers, tolerance
from parity.backend import Backend
from parity.optimizers import DEFAULT_RATES, SLOTS, OptimizerSpec

STEPS, CHANGE = 10, 5
SHAPE = (7, 3)

pytestmark = pytest.mark.flavour


BEFORE: dict[str, dict[str, float]] = {
    "plain": {},
    "decay": {"weight_decay": 0.3},
    "clip": {"clipnorm": 2.0},
    "clip_all": {"global_clipnorm": 2.0},
    "clip_and_decay": {"clipnorm": 2.0, "weight_decay": 0.3},
}
"""What comes before a step; the gradients' norms lie on both sides of the largest one."""


@pytest.fixture(params=itertools.product(SLOTS, BEFORE), ids="-".join)
def spec(request: pytest.FixtureRequest) -> OptimizerSpec:
    name, before = request.param
    return OptimizerSpec(name=name, learning_rate=DEFAULT_RATES[name], **BEFORE[before])


@pytest.fixture(scope="module")
def gradients() -> np.ndarray:
    """Ten gradients over six orders of magnitude, so that ε matters for some entries."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((STEPS, *SHAPE)) * 10.0 ** rng.integers(-6, 1, SHAPE)


def reference(spec: OptimizerSpec, gradients: np.ndarray, change: bool) -> dict[str, np.ndarray]:
    """Weight and slots after all steps; ``change`` divides the rate by ten half-way."""
    weight = np.ones(SHAPE)
    slots = {slot: np.zeros(SHAPE) for slot in SLOTS[spec.name]}
    for step, gradient in enumerate(gradients):
        now = spec
        if change and step >= CHANGE:
            now = dataclasses.replace(spec, learning_rate=spec.learning_rate / 10)
        weight, slots = optimizers.reference_step(now, step + 1, weight, gradient, slots)
    return {"weight": weight, **slots}


def in_keras(spec: OptimizerSpec, gradients: np.ndarray, change: bool) -> dict[str, np.ndarray]:
    from keras_impl.framework import keras, set_dtype, tf
    from keras_impl.optimizers import optimizer_for, slots

    set_dtype("float64")
    layer = keras.layers.Dense(SHAPE[1], use_bias=False)
    layer.build((None, SHAPE[0]))
    layer.kernel.assign(np.ones(SHAPE))
    optimizer = optimizer_for(spec)
    optimizer.build([layer.kernel])
    for step, gradient in enumerate(gradients):
        if change and step == CHANGE:
            optimizer.learning_rate = np.float32(spec.learning_rate / 10)
        optimizer.apply_gradients([(tf.constant(gradient), layer.kernel)])
    found = {slot: values[0].numpy() for slot, values in slots(optimizer, spec).items()}
    return {"weight": layer.kernel.numpy(), **found}


def in_torch(spec: OptimizerSpec, gradients: np.ndarray, change: bool) -> dict[str, np.ndarray]:
    import torch

    from torch_impl.optimizers import optimizer_for, slots

    weight = torch.ones(SHAPE, dtype=torch.float64, requires_grad=True)
    optimizer = optimizer_for(spec, [weight])
    for step, gradient in enumerate(gradients):
        if change and step == CHANGE:
            optimizer.param_groups[0]["lr"] = float(np.float32(spec.learning_rate / 10))
        weight.grad = torch.from_numpy(gradient.copy())
        optimizer.step()
    found = {slot: values[0].numpy() for slot, values in slots(optimizer, spec).items()}
    return {"weight": weight.detach().numpy(), **found}


@pytest.mark.parametrize("change", [False, True], ids=["constant", "rate_changes"])
@pytest.mark.parametrize("framework", [in_keras, in_torch], ids=["keras", "torch"])
def test_ten_steps_follow_the_formula(
    framework, change: bool, spec: OptimizerSpec, gradients: np.ndarray, keras_backend: Backend
) -> None:
    """Weight and slots agree with the reference, also when the learning rate changes on the way."""
    found = framework(spec, gradients, change)
    expected = reference(spec, gradients, change)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        away = abs(found[name] - value).max() / abs(value).max()
        assert away <= tolerance.FLOAT64["forward_eval"].limit, f"{name}: {away:.1e}"


CLIPPED = {"clipnorm": 0.5}, {"global_clipnorm": 0.5}
PARTS = [np.full((3, 2), 0.1), np.full(4, 1.2), np.zeros(5)]
"""Gradients of a norm below 0.5, above it, and zero."""


def clipped(fields: dict[str, float]) -> list[np.ndarray]:
    """What a step of plain gradient descent at rate one takes off weights of zero."""
    spec = OptimizerSpec(name="sgd", learning_rate=1.0, **fields)
    norm = float(np.sqrt(sum((part**2).sum() for part in PARTS)))
    return [
        optimizers.reference_step(spec, 1, np.zeros_like(part), part, {}, norm)[0] for part in PARTS
    ]


@pytest.mark.parametrize("fields", CLIPPED, ids=str)
def test_keras_clips_by_tensor_or_all(fields: dict[str, float], keras_backend: Backend) -> None:
    """Several tensors at once, one without any gradient to speak of."""
    from keras_impl.framework import set_dtype, tf
    from keras_impl.optimizers import optimizer_for

    set_dtype("float64")
    variables = [tf.Variable(np.zeros_like(part)) for part in PARTS]
    optimizer = optimizer_for(OptimizerSpec(name="sgd", learning_rate=1.0, **fields))
    optimizer.build(variables)
    optimizer.apply_gradients(
        [(tf.constant(part), variable) for part, variable in zip(PARTS, variables, strict=True)]
    )
    for variable, expected in zip(variables, clipped(fields), strict=True):
        assert abs(variable.numpy() - expected).max() <= tolerance.FLOAT64["forward_eval"].limit


@pytest.mark.parametrize("halves", [False, True])
@pytest.mark.parametrize("fields", CLIPPED, ids=str)
def test_torch_clips_by_canonical_tensor_or_all(fields: dict[str, float], halves: bool) -> None:
    """Also where two of PyTorch's tensors make one of Keras's, as a GRU's biases do."""
    import torch

    from torch_impl.optimizers import optimizer_for

    pieces = [np.split(part, [1 if halves else 0]) for part in PARTS]
    tensors = [
        tuple(torch.zeros(piece.shape, dtype=torch.float64, requires_grad=True) for piece in parts)
        for parts in pieces
    ]
    for parts, gradients in zip(tensors, pieces, strict=True):
        for tensor, gradient in zip(parts, gradients, strict=True):
            tensor.grad = torch.from_numpy(gradient.copy())
    spec = OptimizerSpec(name="sgd", learning_rate=1.0, **fields)
    optimizer_for(spec, [tensor for parts in tensors for tensor in parts], tensors).step()
    for parts, expected in zip(tensors, clipped(fields), strict=True):
        found = np.concatenate([tensor.detach().numpy() for tensor in parts])
        assert abs(found - expected).max() <= tolerance.FLOAT64["forward_eval"].limit


def test_state_dict_carries_the_slots(spec: OptimizerSpec, gradients: np.ndarray) -> None:
    """A PyTorch optimizer saved and loaded half-way ends where an uninterrupted one does."""
    import torch

    from torch_impl.optimizers import optimizer_for

    def run(interrupted: bool) -> np.ndarray:
        weight = torch.ones(SHAPE, dtype=torch.float64, requires_grad=True)
        optimizer = optimizer_for(spec, [weight])
        for step, gradient in enumerate(gradients):
            if interrupted and step == CHANGE:
                state = optimizer.state_dict()
                optimizer = optimizer_for(spec, [weight])
                optimizer.load_state_dict(state)
            weight.grad = torch.from_numpy(gradient.copy())
            optimizer.step()
        return weight.detach().numpy()

    assert np.array_equal(run(False), run(True))
