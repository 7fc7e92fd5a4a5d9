"""Wrong ways to compare arrays: each passes on a synthetic fault that our comparison detects."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from parity.adapters.backend import Backend
from parity_tests.support import records
from parity_tests.support.records import Pair, Tensors

KERNEL = "float64/gradients/dense_1/kernel"
OUTPUTS = "float64/predictions/outputs"


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path, records.spec())


def found(pair: Pair) -> list[str]:
    """Names of the tensors that fail in our comparison."""
    with pair.compared() as comparison:
        return [f"{check.dtype}/{check.rung}/{check.tensor}" for check in comparison.failed]


def test_means(pair: Pair) -> None:
    """Equal means: a kernel with two swapped rows has the same mean."""
    pair.torch[KERNEL] = pair.keras[KERNEL][::-1].copy()
    assert np.isclose(pair.keras[KERNEL].mean(), pair.torch[KERNEL].mean(), rtol=1e-15)
    assert found(pair) == [KERNEL]


def test_signed_differences(pair: Pair) -> None:
    """Signed differences: +d and −d average to zero."""
    pair.torch[KERNEL][0::2] += 2.0**-20
    pair.torch[KERNEL][1::2] -= 2.0**-20
    assert (pair.torch[KERNEL] - pair.keras[KERNEL]).mean() == 0.0
    assert found(pair) == [KERNEL]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_nan_on_both_sides(pair: Pair, dtype: str) -> None:
    """``nan_to_num``: two models that return NaN become equal."""
    name = f"{dtype}/predictions/outputs"
    for values in pair.both():
        values[name][2] = np.nan
    assert np.array_equal(np.nan_to_num(pair.keras[name]), np.nan_to_num(pair.torch[name]))
    assert np.array_equal(pair.keras[name], pair.torch[name], equal_nan=True)
    assert name in found(pair)


def test_argmax_with_nan(pair: Pair, keras_backend: Backend) -> None:
    """Labels only: TensorFlow's argmax ignores a NaN that PyTorch's selects."""
    import torch

    from keras_impl.framework import tf

    row = [1.0, np.nan, 2.0]
    assert (int(tf.argmax(row)), int(torch.tensor(row).argmax())) == (2, 1)
    pair.keras[OUTPUTS][0], pair.torch[OUTPUTS][0] = [1.0, 0.0, 2.0], row
    for values in pair.both():
        values["float64/predictions/labels"] = np.nanargmax(values[OUTPUTS], axis=1)
    assert np.array_equal(*(values["float64/predictions/labels"] for values in pair.both()))
    assert found(pair) == [OUTPUTS]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("size", "factor"), [(1e-9, 2.0), (1e6, 1 + 5e-6)])
def test_absolute_or_relative(pair: Pair, dtype: str, size: float, factor: float) -> None:
    """``allclose``: small tensors pass by the absolute tolerance, large ones by the relative."""
    for values in pair.both():
        for each in ("float64", "float32"):
            values[f"{each}/gradients/dense_1/kernel"] *= size
    name = f"{dtype}/gradients/dense_1/kernel"
    pair.torch[name] *= pair.torch[name].dtype.type(factor)
    assert np.allclose(pair.keras[name], pair.torch[name], rtol=1e-5, atol=1e-8)
    assert found(pair) == [name]


def test_any_transpose(pair: Pair) -> None:
    """Guessed transpose: a square kernel fits in both orientations."""
    kernel = pair.keras[KERNEL]
    pair.torch[KERNEL] = kernel.T.copy()
    assert kernel.shape == kernel.T.shape
    assert any(
        np.array_equal(kernel, turned) for turned in (pair.torch[KERNEL], pair.torch[KERNEL].T)
    )
    assert found(pair) == [KERNEL]


@pytest.mark.parametrize("shape", [(3, 4), (12,), (4, 3, 1)])
def test_reshape(pair: Pair, shape: tuple[int, ...]) -> None:
    """Reshaping to fit: a tensor of another shape compares equal."""
    name = "float64/gradients/logits/kernel"
    pair.torch[name] = pair.keras[name].reshape(shape)
    assert np.array_equal(pair.keras[name], pair.torch[name].reshape(pair.keras[name].shape))
    assert found(pair) == [name]


def missing(values: Tensors) -> None:
    del values[KERNEL]


def renamed(values: Tensors) -> None:
    values["float64/gradients/dense_1/weight"] = values.pop(KERNEL)


def extra(values: Tensors) -> None:
    values["float64/gradients/dense_1/scale"] = np.ones(4)


@pytest.mark.parametrize("sides", [(0,), (1,), (0, 1)], ids=["keras", "torch", "both"])
@pytest.mark.parametrize(
    ("change", "names"),
    [
        (missing, [KERNEL]),
        (renamed, [KERNEL, "float64/gradients/dense_1/weight"]),
        (extra, ["float64/gradients/dense_1/scale"]),
    ],
)
def test_unmatched_tensors(
    pair: Pair, change: Callable[[Tensors], None], names: list[str], sides: tuple[int, ...]
) -> None:
    """Common names only: a tensor that one side lacks is never compared."""
    for side in sides:
        change(pair.both()[side])
    shared = pair.keras.keys() & pair.torch.keys()
    assert all(np.array_equal(pair.keras[name], pair.torch[name]) for name in shared)
    assert sorted(found(pair)) == names


def test_one_layer_in_an_aggregate(tmp_path: Path) -> None:
    """Averages over layers: one faulty layer among many disappears in the mean and in the norm."""
    pair = Pair(tmp_path, records.spec(hidden=(4,) * 20), ("float64",))
    for values in pair.both():
        values["float64/gradients/dense_7/bias"] *= 1e-9
    pair.torch["float64/gradients/dense_7/bias"] *= 1.001
    names = [name for name in pair.keras if name.startswith("float64/gradients/")]
    x, y = (np.concatenate([values[n].ravel() for n in names]) for values in pair.both())
    assert np.linalg.norm(x - y) / np.linalg.norm(x) < 1e-12
    assert np.abs(x - y).mean() < 1e-12
    assert found(pair) == ["float64/gradients/dense_7/bias"]


def test_ulps_near_zero(pair: Pair) -> None:
    """Units in the last place: rounding near zero exceeds a fault in a larger entry."""

    def ulps(name: str) -> int:
        x, y = (values[name].view(np.int64).ravel() for values in pair.both())
        ordered = (np.where(v < 0, np.int64(-(2**63)) - v, v).astype(object) for v in (x, y))
        return max(abs(a - b) for a, b in zip(*ordered, strict=True))

    pair.keras[KERNEL][0, 0], pair.torch[KERNEL][0, 0] = 1e-17, -1e-17
    pair.torch[OUTPUTS][0, 0] *= 1 + 1e-9
    assert ulps(KERNEL) > 2**62 > ulps(OUTPUTS)
    assert found(pair) == [OUTPUTS]
