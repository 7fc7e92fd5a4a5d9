"""Wrong allowances for rounding: each accepts a fault or rejects a faithful port."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import torch_impl.ladder.training
from parity.adapters.backend import Backend
from parity.constants import DTYPES, as_float32
from parity.ladder import record
from parity.numerics import tolerance
from parity.reference.optimizers.spec import OptimizerSpec
from parity_tests.meta.faults.optimizer import rate_scaled
from parity_tests.meta.traps.pairs import Record, compared, passes, recorder
from parity_tests.support import cases, records
from parity_tests.support.records import Pair

WEIGHTS = "steps/weights/dense_1/kernel"
CNN = ("cnn", "bn-c1-k3-s2-n7", "adam")


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path, records.spec())


@pytest.fixture
def recorded(tmp_path: Path) -> Record:
    return recorder(tmp_path)


@pytest.fixture(scope="module")
def keras_cnn(keras_backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Record of a CNN with batch normalization trained by Adam in Keras."""
    make = recorder(tmp_path_factory.mktemp("keras"))
    return make(keras_backend, cases.spec_of(*CNN), DTYPES)


def found(pair: Pair) -> list[str]:
    """Names of the tensors that fail in our comparison."""
    with pair.compared() as comparison:
        return [f"{check.dtype}/{check.rung}/{check.tensor}" for check in comparison.failed]


def rms(x: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))


@pytest.mark.parametrize("factor", [1.0, 1.001, 2.0, -1.0])
def test_triangle_inequality(pair: Pair, factor: float) -> None:
    """Triangle inequality: |k − t| ≤ |k − reference| + |t − reference| holds for any float32."""
    name = f"float32/{WEIGHTS}"
    pair.torch[name] *= np.float32(factor)
    k, t, reference = pair.keras[name], pair.torch[name], pair.keras[f"float64/{WEIGHTS}"]
    assert rms(k - t) <= (rms(k - reference) + rms(t - reference)) * (1 + 1e-12)
    assert found(pair) == ([] if factor == 1.0 else [name])


def test_ratio_of_two_errors(pair: Pair) -> None:
    """Ratio of two errors: one rounding error may be six times another by chance."""
    name, rng = f"float32/{WEIGHTS}", np.random.default_rng(0)
    exact = pair.keras[f"float64/{WEIGHTS}"]
    for values, size in ((pair.keras, 1e-5), (pair.torch, 6e-5)):
        values[name] = (exact + size * rng.choice([-1.0, 1.0], exact.shape)).astype("f4")
    ratio = rms(pair.torch[name] - exact) / rms(pair.keras[name] - exact)
    assert ratio > 5
    assert found(pair) == [name]
    pair.folder /= "with_an_ensemble"
    pair.set_header("torch", rounding={name: 4e-5})
    assert found(pair) == []


def test_fixed_tolerance_at_late_steps(tmp_path: Path) -> None:
    """Fixed tolerance: chaotic training of a faithful port exceeds it, while float64 agrees."""
    pair = Pair(tmp_path, records.spec(), steps=500)
    names = [name for name in pair.keras if name.startswith("float32/steps/weights/")]
    for seed, (side, values) in enumerate(zip(("keras", "torch"), pair.both(), strict=True)):
        for name in names:
            values[name] = np.random.default_rng(seed).permuted(values[name])
        pair.set_header(side, rounding=dict.fromkeys(names, 1.0))
    assert not all(np.allclose(pair.keras[n], pair.torch[n], atol=1e-3) for n in names)
    assert found(pair) == []
    pair.folder /= "spoilt"
    pair.torch[f"float64/{WEIGHTS}"][0, 0] *= 1 + 1e-10
    assert found(pair) == [f"float64/{WEIGHTS}"]


@pytest.mark.parametrize("both", [True, False], ids=["both_sides", "one_side"])
def test_float32_within_float64(pair: Pair, both: bool) -> None:
    """Float64 results stored as float32 agree to seven digits only."""
    name = "float64/forward_eval/logits"
    for values in pair.both():
        values[name] /= 3.0
    for values in pair.both() if both else (pair.torch,):
        values[name] = values[name].astype("f4") if both else values[name].astype("f4").astype("f8")
    assert np.allclose(pair.keras[name], pair.torch[name], rtol=1e-6)
    assert name in found(pair)


@pytest.mark.parametrize("rest", ["forward_train/dropout_1/mask", "forward_train/input"])
def test_unequal_inputs_of_the_dtypes(tmp_path: Path, rest: str) -> None:
    """Other inputs in float32: both sides deviate so much that any fault passes."""
    pair = Pair(tmp_path, records.spec("dropout"))
    name, logits = f"float32/{rest}", "float32/forward_train/logits"
    for values in pair.both():
        values[name] = ~values[name] if "mask" in rest else values[name] * np.float32(0.5)
        values[logits] *= np.float32(2.0)  # what another mask makes of it
    pair.torch[logits] *= np.float32(1.5)  # the fault, which the other side's error excuses
    assert np.array_equal(pair.keras[name], pair.torch[name])
    exact = pair.keras["float64/forward_train/logits"]
    error = rms(pair.keras[logits] - exact)
    assert rms(pair.torch[logits] - exact) <= tolerance.ENSEMBLE_MULTIPLE * error
    assert found(pair) == [name]


def test_float32_is_nearly_blind(
    monkeypatch: pytest.MonkeyPatch,
    recorded: Record,
    keras_cnn: Path,
    torch_backend: Backend,
) -> None:
    """Float32 only: a learning rate that is wrong by 1e-6 is within rounding."""
    rate_scaled(1 + 1e-6)(monkeypatch)
    with compared(keras_cnn, recorded(torch_backend, cases.spec_of(*CNN), DTYPES)) as comparison:
        assert all(check.ok for check in comparison.checks if check.dtype == "float32")
        assert comparison.first
        assert (comparison.first.dtype, comparison.first.rung) == ("float64", "step")


def test_thread_count(recorded: Record, torch_backend: Backend) -> None:
    """Bitwise equality: another number of threads sums in another order."""
    spec, own = cases.spec_of(*CNN), torch_backend.threads()["intra_op"]
    paths = []
    try:
        for count in (1, 2):
            torch_backend.use_threads(count)
            paths.append(recorded(torch_backend, spec, DTYPES))
    finally:
        torch_backend.use_threads(own)
    with record.read(paths[0]) as a, record.read(paths[1]) as b:
        names = [name for name in a.names if name.startswith("float32")]
        assert not all(np.array_equal(a.tensor(name), b.tensor(name)) for name in names)
    with compared(*paths) as comparison:
        assert comparison.same


def own_sgd(rounded: Callable[[float], float]) -> Callable[[pytest.MonkeyPatch], None]:
    """``torch.optim.SGD`` whose velocity is converted to Keras's unit."""

    def make(spec: OptimizerSpec, params: list[Tensor], *_: object) -> torch.optim.Optimizer:
        momentum = 0.0 if spec.name == "sgd" else rounded(spec.momentum)
        return torch.optim.SGD(params, lr=rounded(spec.learning_rate), momentum=momentum)

    def slots(optimizer: Any, spec: OptimizerSpec) -> dict[str, list[Tensor]]:
        (group,) = optimizer.param_groups
        if spec.name == "sgd":
            return {}
        state = (optimizer.state[param]["momentum_buffer"] for param in group["params"])
        return {"velocity": [-group["lr"] * buffer for buffer in state]}

    def plant(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(torch_impl.ladder.training, "optimizer_for", make)
        patch.setattr(torch_impl.ladder.training, "slots", slots)

    return plant


@pytest.mark.parametrize("optimizer", ["sgd", "momentum"])
def test_rounded_constants(
    recorded: Record, keras_backend: Backend, torch_backend: Backend, optimizer: str
) -> None:
    """Unrounded constants: Keras rounds them to float32 in float64 too."""
    spec = cases.spec_of("softmax", "regression-logits", optimizer)
    k, made = recorded(keras_backend, spec), {}
    for rounded in (float, as_float32):
        with pytest.MonkeyPatch.context() as patch:
            own_sgd(rounded)(patch)
            made[rounded] = recorded(torch_backend, spec)
    with compared(k, made[float]) as comparison:
        assert max(check.observed for check in comparison.failed) > 1e-10
    with compared(k, made[as_float32]) as comparison:
        assert comparison.same
    with compared(k, recorded(torch_backend, spec)) as comparison:
        assert comparison.same


def test_null_gradients(
    monkeypatch: pytest.MonkeyPatch,
    recorded: Record,
    keras_cnn: Path,
    keras_backend: Backend,
    torch_backend: Backend,
) -> None:
    """Null gradients: Adam divides a rounding error by its own size and makes a full step."""
    spec, name = cases.spec_of(*CNN), "step/weights/conv_1/bias"

    def apart(k: Path, t: Path) -> float:
        """Change of the bias in float32 on one side."""
        with record.read(k) as a, record.read(t) as b:
            return float(abs(a.tensor(f"float32/{name}") - b.tensor(f"float32/{name}")).max())

    t = recorded(torch_backend, spec, DTYPES)
    assert apart(keras_cnn, t) == 0.0
    with compared(keras_cnn, t) as comparison:
        assert comparison.same
        assert [null.parameter for null in comparison.null_gradients] == ["conv_1/bias"]
    monkeypatch.setattr(tolerance, "NULL_GRADIENT", 0.0)
    k, t = (recorded(backend, spec, DTYPES) for backend in (keras_backend, torch_backend))
    assert apart(k, t) > 0.01 * spec.optimizer.learning_rate
    with compared(k, t) as comparison:  # faithful, but no longer seen to be
        assert not comparison.same


def test_float64_follows_float32(
    monkeypatch: pytest.MonkeyPatch,
    recorded: Record,
    keras_cnn: Path,
    keras_backend: Backend,
    torch_backend: Backend,
) -> None:
    """Keras 2's batch norm stores the unbiased variance in float32 only, which users run."""
    from keras_impl.framework import keras
    from keras_impl.parts.layers import BatchNormalization

    t = recorded(torch_backend, cases.spec_of(*CNN), DTYPES)
    with compared(keras_cnn, t) as comparison:
        assert passes(comparison, "step", dtype="float64")
        assert passes(comparison, "step", dtype="float32")
    monkeypatch.setattr(BatchNormalization, "call", keras.layers.BatchNormalization.call)
    with compared(recorded(keras_backend, cases.spec_of(*CNN), DTYPES), t) as comparison:
        name = "weights/batch_norm_1/moving_variance"
        failed = {(check.dtype, check.rung, check.tensor) for check in comparison.failed}
        assert ("float64", "step", name) in failed
        assert not any(dtype == "float32" for dtype, _, _ in failed)
