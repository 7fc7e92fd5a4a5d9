"""Optimizers: ten float64 steps of both frameworks equal the NumPy formula and each other."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from parity.adapters.backend import Backend
from parity.errors import ParityError
from parity.numerics import tolerance
from parity.reference.optimizers import formulas
from parity.reference.optimizers.spec import OptimizerSpec
from parity.reference.optimizers.table import OPTIMIZERS, taking
from parity_tests.support.ten_steps import (
    CASES,
    CHANGE,
    KERAS_OWN,
    SHAPE,
    Found,
    both_frameworks_own,
    gradient_sequence,
    in_keras,
    in_torch,
    reference,
)

pytestmark = pytest.mark.flavour


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def spec(request: pytest.FixtureRequest) -> OptimizerSpec:
    name, _, fields = request.param
    return OptimizerSpec(name=name, **fields)


@pytest.fixture(scope="module")
def gradients() -> np.ndarray:
    """See :func:`gradient_sequence`."""
    return gradient_sequence()


def assert_close(found: Mapping[str, np.ndarray], expected: Found, limit: float) -> None:
    """Every tensor, relative to its largest entry."""
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        away = abs(found[name] - value).max() / (abs(value).max() or 1.0)
        assert away <= limit, f"{name}: {away:.1e} of {limit:.1e}"


FORMULA = tolerance.FLOAT64["forward_eval"].limit


@pytest.mark.parametrize("change", [False, True], ids=["constant", "rate_changes"])
def test_ten_steps_follow_the_formula(
    change: bool, spec: OptimizerSpec, gradients: np.ndarray, keras_backend: Backend, flavour: str
) -> None:
    """Weights and slots of both agree with the reference, also after a change of the rate."""
    expected = reference(spec, gradients, change, flavour)
    assert_close(in_keras(spec, gradients, change), expected, FORMULA)
    assert_close(in_torch(spec, gradients, change, flavour), expected, FORMULA)


ULPS = {"float64": 8, "float32": 8}
"""Tolerance relative to the largest weight after ten steps; measured 0 except for Ftrl."""


@pytest.mark.parametrize("dtype", ULPS)
@pytest.mark.parametrize(("kind", "given"), KERAS_OWN, ids=str)
def test_an_ordinary_script_has_keras_numbers(
    kind: str,
    given: dict[str, Any],
    dtype: str,
    keras_backend: Backend,
    flavour: str,
) -> None:
    """With Keras's defaults and Python floats, weights are updated as in Keras."""
    k, t = both_frameworks_own(kind, given, dtype, flavour)
    assert abs(k - t).max() <= ULPS[dtype] * np.spacing(abs(k).max())
    assert (k != 1).any(), "nothing moved"


PARTS = [np.full((3, 2), 0.1), np.full(4, 1.2), np.zeros(5)]
"""Gradients of a norm below 0.5, above it, and zero."""

CLIPPED = {"clipnorm": 0.5}, {"global_clipnorm": 0.5}, {"clipvalue": 0.5}


def clipped(fields: dict[str, float]) -> list[np.ndarray]:
    """The clipped gradients, from a step of gradient descent with rate one."""
    spec = OptimizerSpec(name="sgd", learning_rate=1.0, **fields)
    norm = float(np.sqrt(sum((part**2).sum() for part in PARTS)))
    settings = {**formulas.COMMON, **spec.constants()}
    return [-formulas.clipped(settings, part, norm) for part in PARTS]


@pytest.mark.parametrize("fields", CLIPPED, ids=str)
def test_keras_clips_by_tensor_or_all(fields: dict[str, float], keras_backend: Backend) -> None:
    """Clipping equals Keras's for several tensors, one with a tiny gradient."""
    from keras_impl.framework import set_dtype, tf
    from keras_impl.parts.optimizers import optimizer_for

    set_dtype("float64")
    variables = [tf.Variable(np.zeros_like(part)) for part in PARTS]
    optimizer = optimizer_for(OptimizerSpec(name="sgd", learning_rate=1.0, **fields))
    optimizer.build(variables)
    optimizer.apply_gradients(
        [(tf.constant(part), variable) for part, variable in zip(PARTS, variables, strict=True)]
    )
    for variable, expected in zip(variables, clipped(fields), strict=True):
        assert abs(variable.numpy() - expected).max() <= FORMULA


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("halves", [False, True])
@pytest.mark.parametrize("fields", CLIPPED, ids=str)
def test_torch_clips_by_canonical_tensor_or_all(
    fields: dict[str, float], halves: bool, groups: int
) -> None:
    """Clipping joins tensors that form one in Keras (a GRU's biases), also in groups."""
    import torch

    from torch_impl.parts.optimizers import optimizer_for

    pieces = [np.split(part, [1 if halves else 0]) for part in PARTS]
    tensors = [
        tuple(torch.zeros(piece.shape, dtype=torch.float64, requires_grad=True) for piece in parts)
        for parts in pieces
    ]
    for parts, gradients in zip(tensors, pieces, strict=True):
        for tensor, gradient in zip(parts, gradients, strict=True):
            tensor.grad = torch.from_numpy(gradient.copy())
    spec = OptimizerSpec(name="sgd", learning_rate=1.0, **fields)
    flat = [tensor for parts in tensors for tensor in parts]
    given = flat if groups == 1 else [{"params": flat[:2]}, {"params": flat[2:]}]
    optimizer_for(spec, given, tensors).step()
    for parts, expected in zip(tensors, clipped(fields), strict=True):
        found = np.concatenate([tensor.detach().numpy() for tensor in parts])
        assert abs(found - expected).max() <= FORMULA


def test_state_dict_carries_everything(spec: OptimizerSpec, gradients: np.ndarray) -> None:
    """An optimizer saved and loaded half-way gives the result of an uninterrupted one."""
    import torch

    from torch_impl.parts.optimizers import optimizer_for

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


def test_the_first_state_begins_anew(
    spec: OptimizerSpec, gradients: np.ndarray, flavour: str
) -> None:
    """After a reset to the initial state, the same steps give the same weights."""
    import torch

    from torch_impl.parts.optimizers import optimizer_for

    weight = torch.ones(SHAPE, dtype=torch.float64, requires_grad=True)
    optimizer = optimizer_for(spec, [weight], flavour=flavour)
    first = copy.deepcopy(optimizer.state_dict())
    found = []
    for _ in range(2):
        with torch.no_grad():
            weight.fill_(1.0)
        for gradient in gradients:
            weight.grad = torch.from_numpy(gradient.copy())
            optimizer.step()
        found.append(weight.detach().numpy().copy())
        optimizer.load_state_dict(first)
    assert np.array_equal(*found)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_gradients_are_left_alone(name: str, gradients: np.ndarray) -> None:
    """A step changes weights and slots, but not ``.grad``."""
    import torch

    from torch_impl.parts.optimizers import optimizer_for

    weight = torch.ones(SHAPE, dtype=torch.float64, requires_grad=True)
    spec = OptimizerSpec(name=name, clipnorm=0.01, weight_decay=0.1, ema_momentum=0.9)
    optimizer = optimizer_for(spec, [weight])
    for gradient in gradients:
        weight.grad = torch.from_numpy(gradient.copy())
        optimizer.step()
        assert np.array_equal(weight.grad.numpy(), gradient)


@pytest.mark.parametrize("kind", ["Adam", "AdamW"])
@pytest.mark.parametrize("amsgrad", [False, True])
def test_how_gradients_lie_in_memory_changes_nothing(kind: str, amsgrad: bool) -> None:
    """Gradients with other strides, or with mixed dtypes, are applied to the right entries.

    PyTorch's fused kernels, which Adam otherwise uses, would mix them up without a word.
    """
    import torch

    from torch_impl import optim

    torch.manual_seed(0)
    start, gradients = torch.randn(3, 4), torch.randn(5, 3, 4)
    moved = []
    for turned, beside in ((False, torch.float64), (True, torch.float64), (False, torch.float32)):
        weights = [torch.nn.Parameter(start.to(t, copy=True)) for t in (torch.float64, beside)]
        optimizer = getattr(optim, kind)(weights, amsgrad=amsgrad)
        for gradient in gradients.double():
            weights[0].grad = gradient.t().contiguous().t() if turned else gradient
            weights[1].grad = gradient.to(beside)
            optimizer.step()
        moved.append(weights[0].detach().numpy())
    for one in moved[1:]:
        away = abs(one - moved[0]).max() / abs(moved[0]).max()
        assert away <= tolerance.FLOAT64["forward_eval"].limit


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_schedule_and_a_closure_work(name: str, gradients: np.ndarray) -> None:
    """PyTorch's schedulers set the rate, and a closure's loss is returned."""
    import torch

    from torch_impl.parts.optimizers import optimizer_for

    weight = torch.ones(SHAPE, dtype=torch.float64, requires_grad=True)
    optimizer = optimizer_for(OptimizerSpec(name=name), [weight])
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
    rate = optimizer.param_groups[0]["lr"]

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = (weight**2).sum()
        loss.backward()
        return loss

    losses = []
    for _ in range(3):
        losses.append(optimizer.step(closure).item())
        schedule.step()
    assert losses[0] > losses[1] > losses[2]
    assert optimizer.param_groups[0]["lr"] == rate / 8


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_accumulated_gradients_make_one_step(
    name: str, gradients: np.ndarray, keras_backend: Backend, flavour: str
) -> None:
    """Keras 3 makes a step with the mean gradient of several batches."""
    if flavour != "keras3":
        pytest.skip("Keras 2 accumulates no gradients")
    spec = OptimizerSpec(
        name=name, gradient_accumulation_steps=3, clipnorm=1.0, ema_momentum=0.7, weight_decay=0.1
    )
    k, t = in_keras(spec, gradients, True), in_torch(spec, gradients, True, flavour)
    assert_close(t, k, FORMULA)
    few = in_torch(spec, gradients[:2], True, flavour)
    assert np.array_equal(few["weight"], np.ones(SHAPE))


@pytest.mark.parametrize("name", ["nadam", "adam"])
def test_a_compiled_step_is_an_eager_one(
    name: str, gradients: np.ndarray, keras_backend: Backend
) -> None:
    """Keras's step gives the same result within ``tf.function``, also with several tensors."""
    from keras_impl.framework import set_dtype, tf
    from keras_impl.parts.optimizers import optimizer_for

    set_dtype("float64")
    found = []
    for compiled in (False, True):
        weights = [tf.Variable(np.ones(SHAPE)) for _ in range(3)]
        optimizer = optimizer_for(OptimizerSpec(name=name))
        optimizer.build(weights)

        def apply(gradient, optimizer=optimizer, weights=weights):
            optimizer.apply_gradients([(gradient, weight) for weight in weights])

        run = tf.function(apply) if compiled else apply
        for gradient in gradients:
            run(tf.constant(gradient))
        found.append([weight.numpy() for weight in weights])
    for eager, compiled in zip(*found, strict=True):
        assert abs(eager - compiled).max() <= FORMULA


def test_keras_2_nadam_counts_tensors_when_compiled(
    gradients: np.ndarray, keras_backend: Backend, flavour: str
) -> None:
    """The fault of Keras 2 that ``keras_impl`` avoids still exists."""
    from keras_impl.framework import keras, set_dtype, tf

    if flavour != "tf_keras":
        pytest.skip("Keras 3 multiplies once")
    set_dtype("float64")
    found = []
    for count in (1, 3):
        weights = [tf.Variable(np.ones(SHAPE)) for _ in range(count)]
        optimizer = keras.optimizers.Nadam()
        optimizer.build(weights)

        @tf.function
        def run(gradient, optimizer=optimizer, weights=weights):
            optimizer.apply_gradients([(gradient, weight) for weight in weights])

        for gradient in gradients:
            run(tf.constant(gradient))
        found.append(weights[0].numpy())
    assert abs(found[0] - found[1]).max() > 1e-4


def test_averages_take_the_weights_place(gradients: np.ndarray) -> None:
    """``finalize`` sets the weights to their moving averages."""
    import torch

    from torch_impl.optim import SGD

    weight = torch.ones(SHAPE, dtype=torch.float64, requires_grad=True)
    optimizer = SGD([weight], lr=0.1, ema_momentum=0.9)
    average = np.ones(SHAPE)
    for gradient in gradients:
        weight.grad = torch.from_numpy(gradient.copy())
        optimizer.step()
        average = 0.9 * average + 0.1 * weight.detach().numpy()
    optimizer.finalize()
    assert abs(weight.detach().numpy() - average).max() <= FORMULA


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "adam", "rho": 0.9}, "rho: received 0.9 with optimizer 'adam', accepted: with"),
        ({"name": "sgd", "momentum": 0.9}, "accepted: with momentum, nesterov, rmsprop"),
        ({"name": "momentum", "momentum": 0.0}, "accepted: above 0"),
        ({"name": "adam", "centered": True}, "accepted: with rmsprop"),
        ({"name": "sgd", "clipnorm": 1.0, "clipvalue": 1.0}, "accepted: one of the three"),
        ({"name": "sgd", "ema_overwrite_frequency": 3}, "without ema_momentum"),
        ({"name": "ftrl", "learning_rate_power": 0.5}, "learning_rate_power: received 0.5"),
        ({"name": "adamm"}, "name: received 'adamm', accepted: one of sgd"),
        ({"name": "adam", "beta_1": 1.0}, "beta_1: received 1.0"),
    ],
)
def test_refuses(fields: dict[str, Any], message: str) -> None:
    """A spec's error states the value received and what is accepted."""
    with pytest.raises(ParityError) as caught:
        OptimizerSpec(**fields)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "given", "message"),
    [
        ("Adam", {"betas": (0.9, 1.0)}, "betas: received (0.9, 1.0)"),
        ("Adam", {"lr": -1.0}, "lr: received -1.0"),
        ("Adam", {"eps": float("nan")}, "eps: received nan"),
        ("SGD", {"momentum": 1.5}, "momentum: received 1.5"),
        ("SGD", {"clipnorm": 1.0, "clipvalue": 1.0}, "at most one of the three"),
        ("SGD", {"ema_momentum": 2.0}, "ema_momentum: received 2.0"),
        ("SGD", {"ema_overwrite_frequency": 2}, "without ema_momentum"),
        ("SGD", {"gradient_accumulation_steps": 2}, "Keras 2 has none"),
        ("SGD", {"flavour": "keras4"}, "flavour: received 'keras4'"),
        ("RMSprop", {"rho": 1.5}, "rho: received 1.5"),
        ("Ftrl", {"lr_power": 0.5}, "lr_power: received 0.5"),
        ("Ftrl", {"l1": -1.0}, "l1: received -1.0"),
        ("Lion", {"betas": (0.9, 1.5)}, "betas: received (0.9, 1.5)"),
        ("Adagrad", {"initial_accumulator_value": -1.0}, "initial_accumulator_value: received"),
    ],
)
def test_pytorch_classes_refuse(kind: str, given: dict[str, Any], message: str) -> None:
    """The classes raise ValueError, as PyTorch's do."""
    import torch

    from torch_impl import optim

    with pytest.raises(ValueError, match="received") as caught:
        getattr(optim, kind)([torch.zeros(1, requires_grad=True)], **{"lr": 0.1, **given})
    assert message in str(caught.value)


def test_every_optimizer_stands_in_every_table() -> None:
    """Every class of the table has a formula with all of its options."""
    assert {row.kind for row in OPTIMIZERS.values()} <= formulas.OF_CLASS.keys()
    for name, row in OPTIMIZERS.items():
        assert {*row.options} <= {*formulas.FORMULAS[formulas.OF_CLASS[row.kind]].settings}
        assert all(name in taking(option) for option in row.options)
        assert {one: getattr(OptimizerSpec(name=name), one) for one in row.options} == row.options
