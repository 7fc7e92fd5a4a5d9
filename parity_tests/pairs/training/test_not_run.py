"""Training that cannot be run: what evaluation has proven is reported, with the reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from parity.cli import parser
from parity.errors import ParityError
from parity.pairs.check import check
from parity_tests.pairs.zoo.models import fill

pytestmark = pytest.mark.flavour

X = np.random.default_rng(0).normal(size=(8, 5))
Y = np.random.default_rng(1).normal(size=(8, 3))
TRAINED: dict[str, Any] = {"targets": Y, "loss": "mse", "optimizer": "sgd", "steps": 2}
TRAINING = ["forward_train", "loss", "gradients", "step", "steps"]
MESSAGE = "cannot be trained"


def refuse(training: bool) -> None:
    if training:
        raise NotImplementedError(f"{MESSAGE}\nas its second line says")


def keras_model(keras: Any, raises: bool) -> Any:
    """A builder of two layers with a norm between them, which may raise in training mode."""

    class Refusing(keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any, training: bool = False) -> Any:
            refuse(bool(raises and training))
            return x

    def build() -> Any:
        layers = keras.layers
        norm = layers.LayerNormalization(epsilon=1e-3)
        stack = [layers.Dense(4), norm, Refusing(), layers.Dense(3, name="last")]
        return fill(keras.Sequential([keras.Input((5,)), *stack]))

    return build


class Port(nn.Module):
    """Its port."""

    def __init__(self, raises: bool = False, epsilon: float = 1e-3) -> None:
        super().__init__()
        self.raises = raises
        self.first, self.norm = nn.Linear(5, 4), nn.LayerNorm(4, epsilon)
        self.last = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (N, 5) to (N, 3)."""
        refuse(self.raises and self.training)
        return self.last(self.norm(self.first(x)))


class Failing(torch.optim.SGD):
    """An optimizer that raises."""

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        raise RuntimeError(MESSAGE)


def sgd(keras: Any) -> Any:
    return keras.optimizers.SGD(0.1), lambda params: Failing(params, lr=0.1)


@pytest.mark.parametrize("side", ["keras", "torch"])
@pytest.mark.parametrize("epsilon", [1e-3, 1e-5])
def test_a_model_that_raises_in_training_mode_is_compared_in_evaluation(
    side: str, epsilon: float, keras: Any
) -> None:
    """The cause that evaluation proves is reported; without one the check is inconclusive."""
    report = check(
        keras_model(keras, side == "keras"), Port(side == "torch", epsilon), X, **TRAINED
    )
    different = epsilon != 1e-3
    assert report.verdict == ("different" if different else "inconclusive"), str(report)
    assert [one.id for one in report.causes] == ["layer_norm.epsilon"] * different
    assert [one.name for one in report.rungs] == ["forward_eval", *TRAINING]
    assert report.rungs[0].status == ("failed" if different else "passed")
    for rung in report.rungs[1:]:
        assert rung.status == "not run"
        assert f"NotImplementedError: {MESSAGE}" in rung.reason
        assert rung.reason.startswith(f"{side}_model: ")
        assert "\n" not in rung.reason


@pytest.mark.parametrize("epsilon", [1e-3, 1e-5])
def test_an_optimizer_that_raises_leaves_the_other_rungs(epsilon: float, keras: Any) -> None:
    """Its own rungs are not run; what is compared before them is reported."""
    given = TRAINED | {"optimizer": sgd(keras)}
    report = check(keras_model(keras, False), Port(epsilon=epsilon), X, **given)
    status = {one.name: one.status for one in report.rungs}
    assert {status[name] for name in ("step", "steps")} == {"not run"}
    assert MESSAGE in report.rungs[-1].reason
    if epsilon == 1e-3:
        assert report.verdict == "inconclusive"
        assert {status[name] for name in ("forward_eval", *TRAINING[:3])} == {"passed"}
    else:
        assert report.verdict == "different"
        assert [one.id for one in report.causes] == ["layer_norm.epsilon"]


def test_targets_of_a_wrong_shape_are_refused_unless_a_difference_is_proven(keras: Any) -> None:
    """They are wrong use; still they must not hide the cause that evaluation has proven."""
    given = TRAINED | {"targets": np.ones((8, 7))}
    with pytest.raises(ParityError, match=r"loss: .* cannot be called"):
        check(keras_model(keras, False), Port(), X, **given)
    report = check(keras_model(keras, False), Port(epsilon=1e-5), X, **given)
    assert report.verdict == "different"
    assert [one.id for one in report.causes] == ["layer_norm.epsilon"]
    assert "cannot be called" in report.rungs[2].reason


def test_a_loss_that_does_not_exist_is_always_refused(keras: Any) -> None:
    """Also where the outputs differ: the command has to be corrected first."""
    with pytest.raises(ParityError, match="loss: received 'mean'"):
        check(keras_model(keras, False), Port(epsilon=1e-5), X, **TRAINED | {"loss": "mean"})


PAIR = """
import numpy as np
import torch

from parity_tests.pairs.training import test_not_run as pair


def keras_model():
    import {module} as keras

    return pair.keras_model(keras, False)()


def torch_model():
    return pair.Port(raises=True)


def inputs():
    return pair.X


def targets():
    return pair.Y


def loss():
    return "mse"
"""


def test_exit_code_of_an_inconclusive_check(
    tmp_path: Path, flavour: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """3, with the verdict in the first line and the reason in the report."""
    path = tmp_path / "raising_pair.py"
    path.write_text(PAIR.format(module={"tf_keras": "tf_keras"}.get(flavour, "keras")))
    with pytest.raises(SystemExit) as ended:
        parser.main(["check", str(path)])
    assert ended.value.code == 3
    printed = capsys.readouterr().out
    assert printed.splitlines()[0].startswith("INCONCLUSIVE:")
    assert MESSAGE in printed
