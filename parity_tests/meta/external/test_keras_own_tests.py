"""Keras's own tests fail for a wrong ``torch_impl``, so that passing them means something."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from parity.adapters.backend import Backend
from parity_tests.keras_own_tests import loading
from parity_tests.keras_own_tests.exceptions import problems
from torch_impl import metrics, nn, optim
from torch_impl.nn.reduction import KerasLoss
from torch_impl.optim.schedules import KerasSchedule

pytestmark = pytest.mark.flavour


def scaled(function: Callable[..., Any], factor: float = 1.01) -> Callable[..., Any]:
    """The function with its result times a factor."""
    return lambda *args, **kwargs: function(*args, **kwargs) * factor


def doubled(update: Callable[..., None]) -> Callable[..., None]:
    """An optimizer's update with twice the learning rate."""

    def run(self: Any, group: dict[str, Any], *args: Any) -> None:
        update(self, {**group, "lr": 2.0 * group["lr"]}, *args)

    return run


FAULTS: dict[str, tuple[str, Any, str, Callable[[Any], Any]]] = {
    "losses": ("losses/losses_test.py", KerasLoss, "_reduced", scaled),
    "focal": ("losses/losses_test.py", nn.BinaryFocalCrossentropy, "entries", scaled),
    "dice": ("losses/losses_test.py", nn.Dice, "losses", scaled),
    "regularizers": ("regularizers/regularizers_test.py", nn.L1L2, "__call__", scaled),
    "constraints": ("constraints/constraints_test.py", nn.UnitNorm, "__call__", scaled),
    "schedules": (
        "optimizers/schedules/learning_rate_schedule_test.py",
        *(KerasSchedule, "rate", scaled),
    ),
    "sgd": ("optimizers/sgd_test.py", optim.SGD, "update", doubled),
    "adam": ("optimizers/adam_test.py", optim.Adam, "update", doubled),
    "lamb": ("optimizers/lamb_test.py", optim.Lamb, "update", doubled),
    "adafactor": ("optimizers/adafactor_test.py", optim.Adafactor, "update", doubled),
    "muon": ("optimizers/muon_test.py", optim.Muon, "update", doubled),
    "decay": (
        *("optimizers/adamw_test.py", optim.KerasOptimizer, "decay"),
        lambda decay: lambda self, group, params: None,
    ),
    "clipping": (
        *("optimizers/optimizer_test.py", optim.KerasOptimizer, "_clip"),
        lambda clip: lambda self, weights, gradients: None,
    ),
    "accuracy": ("metrics/accuracy_metrics_test.py", metrics.Accuracy, "compute", scaled),
    "auc": ("metrics/confusion_metrics_test.py", metrics.AUC, "compute", scaled),
    "iou": ("metrics/iou_metrics_test.py", metrics.IoU, "compute", scaled),
    "r2": ("metrics/regression_metrics_test.py", metrics.R2Score, "compute", scaled),
}
"""File of tests, class, its method, and what replaces the method."""


@pytest.mark.parametrize("name", FAULTS)
def test_a_wrong_class_is_found(
    name: str, monkeypatch: pytest.MonkeyPatch, keras_backend: Backend, flavour: str
) -> None:
    """A fault in a class of ``torch_impl`` makes tests fail that pass without it."""
    if flavour != "keras3":
        pytest.skip("Keras 2 ships no tests")
    file, cls, method, fault = FAULTS[name]
    assert not problems(loading.run(file))
    monkeypatch.setattr(cls, method, fault(getattr(cls, method)))
    assert problems(loading.run(file))


CONFIG = "losses/losses_test.py::HuberLossTest::test_config"


@pytest.mark.parametrize(
    ("outcome", "wrong"),
    [
        (loading.Outcome("losses/losses_test.py::A::test_b", loading.PASSED), False),
        (loading.Outcome("losses/losses_test.py::A::test_b", loading.SKIPPED), False),
        (loading.Outcome("losses/losses_test.py::A::test_b", loading.UNUSED), True),
        (loading.Outcome("losses/losses_test.py::A::test_b", loading.FAILED, "get_config"), True),
        (loading.Outcome(CONFIG, loading.FAILED, "AttributeError: get_config"), False),
        (loading.Outcome(CONFIG, loading.FAILED, "AssertionError: 1.0 != 2.0"), True),
        (loading.Outcome(CONFIG, loading.PASSED), True),
    ],
)
def test_only_what_a_reason_states_is_excluded(outcome: loading.Outcome, wrong: bool) -> None:
    """A test without a result does not count, and neither does a reason that does not hold."""
    assert bool(problems([outcome])) is wrong
