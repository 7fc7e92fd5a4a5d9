"""The main claim: every variant of every model is the same in both frameworks, on every rung."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from parity.adapters.backend import Backend
from parity.ladder import record
from parity.rungs import RUNGS
from parity.verdict import compare
from parity.verdict.compare import Comparison
from parity_tests.support import cases

pytestmark = pytest.mark.flavour


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every variant with Keras 2, a third with Keras 3 (the sample of the soak has more)."""
    if "case" in metafunc.fixturenames:
        full = metafunc.config.getoption("--full")
        rows = cases.every_optimizer() if full else cases.one_optimizer_each()
        if not full and metafunc.config.getoption("--flavour") == "keras3":
            rows = rows[::3]
        metafunc.parametrize("case", rows, ids=["-".join(row) for row in rows])


@pytest.fixture
def spec(case: tuple[str, str, str], flavour: str):
    return cases.spec_of(*case, flavour=flavour)


def explain(comparison: Comparison) -> str:
    """Every failed check in a line of its own."""
    return "\n".join(
        f"{check.dtype} {check.rung} {check.tensor}: observed {check.observed:.2e}, "
        f"allowed {check.allowed:.2e}, at {check.index}: {check.values} {check.note}"
        for check in comparison.failed
    )


def test_float64_is_the_same_on_every_rung(
    spec, keras_backend: Backend, torch_backend: Backend, tmp_path: Path
) -> None:
    """Both backends agree within the table of tolerances from parameters to predictions."""
    k = cases.record_of(keras_backend, spec, tmp_path / "k")
    t = cases.record_of(torch_backend, spec, tmp_path / "t")
    with record.read(k) as a, record.read(t) as b:
        comparison = compare.compare(a, b)
        assert comparison.same, explain(comparison)
        checked = {check.rung for check in comparison.checks}
        assert checked == set(RUNGS), "a rung without a check says nothing"


@pytest.mark.parametrize("row", cases.TRAINED_SO, ids="-".join)
@pytest.mark.parametrize("recipe", cases.RECIPES)
def test_every_recipe_is_the_same(
    recipe: str,
    row: tuple[str, str, str],
    flavour: str,
    keras_backend: Backend,
    torch_backend: Backend,
    tmp_path: Path,
) -> None:
    """Class weights, weight decay and clipping: the same on every rung in float64."""
    spec = cases.spec_of(*row, flavour=flavour, **cases.RECIPES[recipe])
    k = cases.record_of(keras_backend, spec, tmp_path / "k")
    t = cases.record_of(torch_backend, spec, tmp_path / "t")
    with record.read(k) as a, record.read(t) as b:
        comparison = compare.compare(a, b)
        assert comparison.same, explain(comparison)


@pytest.mark.parametrize("seed", [2, 4])
def test_a_null_gradient_of_exactly_zero_is_no_difference(
    seed: int, flavour: str, keras_backend: Backend, torch_backend: Backend, tmp_path: Path
) -> None:
    """A convolution's bias whose rounding sums to zero on one side, but not in every batch.

    Seeds 2 and 4 are ones where PyTorch's first batch does.
    """
    spec = cases.spec_of("cnn", "one_channel", flavour=flavour, seed=seed)
    spec = dataclasses.replace(spec, training=dataclasses.replace(spec.training, batch_size=4))
    k = cases.record_of(keras_backend, spec, tmp_path / "k")
    t = cases.record_of(torch_backend, spec, tmp_path / "t")
    with record.read(k) as a, record.read(t) as b:
        comparison = compare.compare(a, b)
        assert comparison.same, explain(comparison)
        assert [entry.parameter for entry in comparison.null_gradients] == ["conv_1/bias"]
