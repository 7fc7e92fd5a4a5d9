"""Learning-rate schedules: every rate equals Keras's, bit for bit."""

from __future__ import annotations

import io
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from parity.adapters.backend import Backend
from parity_tests.support.selection import first_of_each
from torch_impl.optim import schedules
from torch_impl.optim.float32 import SMALLEST, cosine, float32, logarithm, power

pytestmark = pytest.mark.flavour

RATES = (0.1, 3e-4)
STEPS = (*range(61), 100, 127, 128, 255, 1000, 4097, 12345, 10**6, 2**24 + 1, 10**9 + 7)
"""Steps far past every end, and so large that float32 cannot represent each one."""

LENGTHS = (7, 10.5, 30)

GRID: dict[str, list[dict[str, Any]]] = {
    "ExponentialDecay": [
        {"decay_steps": n, "decay_rate": r, "staircase": whole}
        for n, r, whole in product(LENGTHS, (0.0, 0.1, 0.96, 2.0), (False, True))
    ],
    "InverseTimeDecay": [
        {"decay_steps": n, "decay_rate": r, "staircase": whole}
        for n, r, whole in product(LENGTHS, (0.0, 0.5, 3.0), (False, True))
    ],
    "PolynomialDecay": [
        {"decay_steps": n, "end_learning_rate": e, "power": p, "cycle": cycle}
        for n, e, p, cycle in product(LENGTHS, (0.0, 0.01), (0.0, 0.5, 1.0, 2.7), (False, True))
    ],
    "PiecewiseConstantDecay": [
        {"boundaries": [10, 20], "values": [0.1, 0.05, 1e-4]},
        {"boundaries": [0], "values": [1.0, 0.3]},
        {"boundaries": [3.0, 3.5, 58], "values": [0.7, 0.0, 1e-6, 2.0]},
    ],
    "CosineDecay": [
        {"decay_steps": n, "alpha": a, "warmup_target": target, "warmup_steps": w}
        for n, a, (target, w) in product(
            LENGTHS, (0.0, 0.1, 0.3), ((None, 5), (0.2, 5), (0.01, 10.5), (0.1, 0))
        )
    ],
    "CosineDecayRestarts": [
        {"first_decay_steps": n, "t_mul": t, "m_mul": m, "alpha": a}
        for n, t, m, a in product(LENGTHS, (1.0, 1.3, 2.0), (0.9, 2.0), (0.0, 0.1))
    ],
}
"""Class to the arguments to test; they have the same names in Keras."""

FIRST: dict[str, dict[str, Any]] = {
    "ExponentialDecay": {"decay_steps": 7, "decay_rate": 0.9},
    "InverseTimeDecay": {"decay_steps": 7, "decay_rate": 0.5},
    "PolynomialDecay": {"decay_steps": 10},
    "PiecewiseConstantDecay": {"boundaries": [3, 5], "values": [0.1, 0.03, 0.01]},
    "CosineDecay": {"decay_steps": 10, "warmup_target": 0.3, "warmup_steps": 3},
    "CosineDecayRestarts": {"first_decay_steps": 4},
}
"""One use of every class, whose rate changes within the first ten steps."""

LONG = {"ExponentialDecay": {"decay_steps": 1, "decay_rate": 0.5}}
"""Falls below the smallest normal number at step 123."""


def optimizer_of(*rates: float) -> torch.optim.Optimizer:
    groups = [{"params": [torch.zeros(1, requires_grad=True)], "lr": rate} for rate in rates]
    return torch.optim.SGD(groups, lr=1.0)


def in_keras(name: str, initial: float, given: dict[str, Any]) -> Any:
    from keras_impl.framework import keras

    own = getattr(keras.optimizers.schedules, name)
    return own(**given) if name == "PiecewiseConstantDecay" else own(initial, **given)


def bits(values: list[float]) -> list[int]:
    """The float32 bits, with all NaNs equal."""
    found = np.array(values, np.float32)
    assert np.array_equal(found, np.array(values), equal_nan=True), "not float32 numbers"
    found[np.isnan(found)] = np.nan
    return found.view(np.int32).tolist()


@pytest.mark.parametrize(
    ("name", "initial", "dtype"),
    first_of_each(
        [
            (name, initial, dtype)
            for name in GRID
            for dtype in ("float32", "float64")
            for initial in (RATES[::-1] if dtype == "float32" else RATES)
        ],
        lambda name, initial, dtype: (name, dtype),
        lambda name, initial, dtype: name,
    ),
)
def test_every_rate_is_keras_rate(
    name: str, initial: float, dtype: str, keras_backend: Backend
) -> None:
    """Rates are equal at every step, for all arguments and any ``floatx`` of Keras."""
    from keras_impl.framework import set_dtype, tf

    set_dtype(dtype)
    steps = tf.constant(STEPS, tf.int64)
    # what differs is in the arguments: for the other rate and floatx every fifth of them will do
    for given in GRID[name][:: 1 if (initial, dtype) == (0.1, "float64") else 5]:
        schedule = in_keras(name, initial, given)
        expected = [float(schedule(step)) for step in steps]
        ours = getattr(schedules, name)(optimizer_of(initial), **given)
        found = [ours.rate(initial, step) for step in STEPS]
        wrong = [
            f"{given} at {step}: Keras {e!r}, here {f!r}"
            for step, e, f, b, c in zip(
                STEPS, expected, found, bits(expected), bits(found), strict=True
            )
            if b != c
        ]
        assert not wrong, "\n".join(wrong[:5])


def test_tiny_rates_are_zero_as_in_keras(keras_backend: Backend) -> None:
    """TensorFlow rounds subnormal rates to zero, and so do the schedules."""
    from keras_impl.framework import tf

    given = LONG["ExponentialDecay"]
    schedule = in_keras("ExponentialDecay", 1.0, given)
    ours = schedules.ExponentialDecay(optimizer_of(1.0), **given)
    for step in range(120, 160):
        assert ours.rate(1.0, step) == float(schedule(tf.constant(step, tf.int64)))
    assert ours.rate(1.0, 126) == SMALLEST
    assert ours.rate(1.0, 127) == 0.0


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
@pytest.mark.parametrize("name", FIRST)
def test_a_loop_makes_each_step_with_keras_rate(
    name: str, kind: str, keras_backend: Backend
) -> None:
    """``optimizer.step(); schedule.step()``, with PyTorch's optimizers and ours, from s(0) on."""
    from keras_impl.framework import keras, set_dtype, tf
    from torch_impl import optim

    set_dtype("float32")
    schedule = in_keras(name, 0.1, FIRST[name])
    theirs = getattr(keras.optimizers, kind)(schedule)
    variable = tf.Variable(np.zeros(1, np.float32))
    theirs.build([variable])
    for package in (torch.optim, optim):
        weight = torch.zeros(1, requires_grad=True)
        ours = getattr(package, kind)([weight], lr=0.1)
        stepped = getattr(schedules, name)(ours, **FIRST[name])
        found = []
        for _ in range(12):
            weight.grad = torch.ones(1)
            found.append(ours.param_groups[0]["lr"])
            assert stepped.get_last_lr() == [ours.param_groups[0]["lr"]]
            ours.step()
            stepped.step()
        expected = [float(schedule(tf.constant(step, tf.int64))) for step in range(12)]
        assert found == expected
        assert len(set(found)) > 1
    for step in range(3):
        assert int(theirs.iterations.numpy()) == step
        assert float(schedule(theirs.iterations)) == expected[step]
        theirs.apply_gradients([(tf.ones(1), variable)])


@pytest.mark.parametrize("name", FIRST)
def test_groups_start_from_their_own_rates(name: str) -> None:
    """Each group has the rate that it has alone; an argument sets one rate for all."""
    make = getattr(schedules, name)
    both = make(optimizer_of(0.1, 0.02), **FIRST[name])
    given = make(optimizer_of(0.5, 0.7), initial_learning_rate=0.02, **FIRST[name])
    alone = [make(optimizer_of(rate), **FIRST[name]) for rate in (0.1, 0.02)]
    for _ in range(10):
        assert both.get_last_lr() == [one.get_last_lr()[0] for one in alone]
        assert given.get_last_lr() == 2 * alone[1].get_last_lr()
        for one in (both, given, *alone):
            one.optimizer.step()
            one.step()


@pytest.mark.parametrize("name", FIRST)
def test_tensor_rates_stay_tensors(name: str) -> None:
    """A learning rate stored as a tensor (for CUDA graphs) is updated in place."""
    weight, rate = torch.zeros(1, requires_grad=True), torch.tensor(0.1)
    optimizer = torch.optim.Adam([weight], lr=rate, foreach=False)
    schedule = getattr(schedules, name)(optimizer, **FIRST[name])
    other = getattr(schedules, name)(optimizer_of(0.1), **FIRST[name])
    for scheduled in (schedule, other):
        for _ in range(6):
            scheduled.optimizer.step()
            scheduled.step()
    assert optimizer.param_groups[0]["lr"] is rate
    assert float(rate) == other.get_last_lr()[0]


@pytest.mark.parametrize("name", FIRST)
def test_a_saved_schedule_goes_on(name: str) -> None:
    """A schedule saved and loaded half-way gives the rates of an uninterrupted one."""
    make, found = getattr(schedules, name), []
    for interrupted in (False, True):
        optimizer = optimizer_of(0.1)
        schedule, rates = make(optimizer, **FIRST[name]), []
        for step in range(12):
            if interrupted and step == 5:
                file = io.BytesIO()
                torch.save([optimizer.state_dict(), schedule.state_dict()], file)
                file.seek(0)
                saved = torch.load(file, weights_only=True)
                optimizer = optimizer_of(0.7)
                schedule = make(optimizer, **FIRST[name])
                optimizer.load_state_dict(saved[0])
                schedule.load_state_dict(saved[1])
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
        found.append(rates)
    assert found[0] == found[1]


def test_pytorch_own_schedulers_part() -> None:
    """PyTorch's own schedules differ as the catalogue states."""
    cosine_optimizer, milestones = optimizer_of(0.1), optimizer_of(0.1)
    naive = torch.optim.lr_scheduler.CosineAnnealingLR(cosine_optimizer, 10)
    piecewise = torch.optim.lr_scheduler.MultiStepLR(milestones, [5])
    ours = schedules.CosineDecay(optimizer_of(0.1), 10)
    ours_piecewise = schedules.PiecewiseConstantDecay(optimizer_of(0.1), [5], [0.1, 0.01])
    rates = []
    for _ in range(16):
        rates.append([s.get_last_lr()[0] for s in (naive, ours, piecewise, ours_piecewise)])
        for one in (naive, ours, piecewise, ours_piecewise):
            one.optimizer.step()
            one.step()
    theirs, mine, theirs_piecewise, mine_piecewise = map(np.array, zip(*rates, strict=True))
    assert abs(theirs - mine)[:11].max() < 1e-8
    assert (theirs[12:] > 1e-3).all()
    assert (mine[10:] == 0).all()
    assert np.flatnonzero(abs(theirs_piecewise - mine_piecewise) > 1e-3).tolist() == [5]


def test_pytorch_own_float32_functions_part() -> None:
    """The comparison detects one ulp, by which ``torch.cos`` and ``torch.log`` differ."""
    rng = np.random.default_rng(0)
    values = [float32(x) for x in rng.random(4000) * np.pi + 1]
    assert 40 < sum(bool(torch.cos(x) != cosine(x)) for x in values) < 800
    assert sum(bool(torch.log(x) != logarithm(x)) for x in values) > 0


@pytest.mark.parametrize("name", ["cos", "log", "pow"])
def test_single_numbers_are_tensorflow_s(name: str, keras_backend: Backend) -> None:
    """Cosine, logarithm and power equal TensorFlow's for random numbers, bit for bit."""
    from keras_impl.framework import tf

    rng = np.random.default_rng(1)
    for x, y in zip(rng.random(2000) * 6 + 1e-3, rng.random(2000) * 9 - 3, strict=True):
        a, b = float32(x), float32(y)
        theirs, ours = {
            "cos": lambda a=a: (tf.math.cos(float(a)), cosine(a)),
            "log": lambda a=a: (tf.math.log(float(a)), logarithm(a)),
            "pow": lambda a=a, b=b: (tf.pow(float(a), float(b)), power(a, b)),
        }[name]()
        assert float(theirs) == float(ours)


@pytest.mark.parametrize("name", GRID)
def test_every_compiled_rate_is_keras_rate(name: str, keras_backend: Backend) -> None:
    """Compiled rates equal those within a ``tf.function``, bit for bit."""
    from keras_impl.framework import tf

    unlike = 0
    for given in GRID[name][::3]:  # tracing takes its time
        schedule, step = in_keras(name, 0.1, given), tf.Variable(0, dtype=tf.int64)
        compiled = tf.function(lambda schedule=schedule, step=step: schedule(step))
        ours, eager = (
            getattr(schedules, name)(optimizer_of(0.1), **given, compiled=kind)
            for kind in (True, False)
        )
        for number in STEPS[::2]:
            step.assign(number)
            expected, found = float(compiled()), ours.rate(0.1, number)
            assert bits([expected]) == bits([found]), (given, number)
            unlike += expected != eager.rate(0.1, number)
    assert (unlike > 0) == (name != "PiecewiseConstantDecay")


XLA_ULPS = {
    "ExponentialDecay": 2,
    "InverseTimeDecay": 2,
    "PolynomialDecay": 2,
    "PiecewiseConstantDecay": 0,
    "CosineDecay": 8,
    "CosineDecayRestarts": 8,
}
"""Tolerance relative to the largest rate: XLA fuses operations and has its own powers."""


@pytest.mark.parametrize("name", FIRST)
def test_xla_is_close(name: str, keras_backend: Backend) -> None:
    """Rates of Keras 3's ``fit`` differ from compiled rates by a few ulps."""
    from keras_impl.framework import tf

    schedule = in_keras(name, 0.1, FIRST[name])
    step = tf.Variable(0, dtype=tf.int64)
    compiled = tf.function(lambda: schedule(step), jit_compile=True)
    ours = getattr(schedules, name)(optimizer_of(0.1), **FIRST[name], compiled=True)
    theirs, found = [], []
    for number in range(61):
        step.assign(number)
        theirs.append(float(compiled()))
        found.append(ours.rate(0.1, number))
    away = abs(np.array(theirs) - found).max() / np.spacing(np.float32(max(found)))
    assert away <= XLA_ULPS[name], f"{away} ulps"


def test_a_compiled_cycle_ends_elsewhere(keras_backend: Backend) -> None:
    """As 21·(1/7) is greater than 3 in float32, a compiled cycle ends one step later."""
    from keras_impl.framework import tf

    given = {"decay_steps": 7, "cycle": True}
    schedule = in_keras("PolynomialDecay", 0.1, given)
    step = tf.Variable(21, dtype=tf.int64)
    rates = [
        schedules.PolynomialDecay(optimizer_of(0.1), **given, compiled=compiled).rate(0.1, 21)
        for compiled in (False, True)
    ]
    assert rates == [float(schedule(step)), float(tf.function(lambda: schedule(step))())]
    assert rates[0] < 2e-4 < 0.02 < rates[1]


@pytest.mark.parametrize("name", FIRST)
def test_a_fit_has_the_compiled_rates(name: str, keras_backend: Backend, flavour: str) -> None:
    """Keras 2's ``fit`` uses the compiled rate in each step."""
    from keras_impl.framework import keras, set_dtype

    if flavour != "tf_keras":
        pytest.skip("Keras 3's fit compiles with XLA, and shows no rate")
    set_dtype("float32")
    optimizer = keras.optimizers.SGD(in_keras(name, 0.1, FIRST[name]))
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(optimizer, "mse")
    rates: list[float] = []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            rates.append(float(optimizer.learning_rate.numpy()))

    model.fit(np.ones((30, 2)), np.ones((30, 1)), 1, 1, 0, callbacks=[Watch()])
    ours = getattr(schedules, name)(optimizer_of(0.1), **FIRST[name], compiled=True)
    assert rates == [ours.rate(0.1, step) for step in range(30)]


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("ExponentialDecay", {"decay_steps": 0}, "decay_steps: received 0, accepted: above 0"),
        ("ExponentialDecay", {"decay_rate": -0.1}, "decay_rate: received -0.1, accepted: 0 or"),
        ("InverseTimeDecay", {"decay_steps": float("nan")}, "decay_steps: received nan"),
        ("InverseTimeDecay", {"initial_learning_rate": -1.0}, "initial_learning_rate: received"),
        ("PolynomialDecay", {"end_learning_rate": float("inf")}, "received inf, accepted: 0 or"),
        ("PolynomialDecay", {"power": -1}, "power: received -1, accepted: 0 or more"),
        ("PiecewiseConstantDecay", {"boundaries": [5, 3]}, "boundaries: received [5, 3], accepted"),
        ("PiecewiseConstantDecay", {"boundaries": []}, "accepted: at least one, increasing"),
        ("PiecewiseConstantDecay", {"values": [1.0]}, "values: received 1, accepted: 3"),
        ("PiecewiseConstantDecay", {"values": [1, 2, -1]}, "values: received -1, accepted: 0 or"),
        ("CosineDecay", {"alpha": -0.5}, "alpha: received -0.5, accepted: 0 or more"),
        ("CosineDecay", {"warmup_target": -1.0}, "warmup_target: received -1.0"),
        ("CosineDecay", {"warmup_steps": -1}, "warmup_steps: received -1, accepted: 0 or more"),
        ("CosineDecayRestarts", {"t_mul": 0.5}, "t_mul: received 0.5, accepted: 1 or more"),
        ("CosineDecayRestarts", {"m_mul": -0.5}, "m_mul: received -0.5, accepted: 0 or more"),
    ],
)
def test_refuses(name: str, given: dict[str, Any], message: str) -> None:
    """The error for an argument out of range states what is accepted."""
    with pytest.raises(ValueError, match="received") as caught:
        getattr(schedules, name)(optimizer_of(0.1), **{**FIRST[name], **given})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
