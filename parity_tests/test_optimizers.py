"""Optimizers: ten steps in float64 against the NumPy formula, in both frameworks."""

from __future__ import annotations

import numpy as np
import pytest

from parity import optimizers, tolerance
from parity.backend import Backend
from parity.optimizers import DEFAULT_RATES, SLOTS, OptimizerSpec

STEPS, CHANGE = 10, 5
SHAPE = (7, 3)

pytestmark = pytest.mark.flavour


@pytest.fixture(params=SLOTS)
def spec(request: pytest.FixtureRequest) -> OptimizerSpec:
    return OptimizerSpec(name=request.param, learning_rate=DEFAULT_RATES[request.param])


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
            now = OptimizerSpec(name=spec.name, learning_rate=spec.learning_rate / 10)
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
