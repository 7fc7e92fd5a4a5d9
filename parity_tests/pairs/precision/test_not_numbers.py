"""NaN and infinities: what equals nothing, and scores that a mask keeps out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from parity.numerics.distance import relative_error
from parity.pairs.check import check
from parity_tests.pairs.zoo.building import Net, filled

X = np.random.default_rng(0).normal(size=(5, 4))
INF = np.inf


@pytest.mark.parametrize(
    ("own", "other", "expected"),
    [
        ([1.0, -INF], [1.0, -INF], 0.0),
        ([2.0, INF], [1.0, INF], 0.5),
        ([1.0, INF], [1.0, -INF], INF),
        ([1.0, INF], [1.0, 2.0], INF),
        ([1.0, 2.0], [1.0, INF], INF),
        ([1.0, np.nan], [1.0, np.nan], INF),
        ([INF, np.nan], [INF, 1.0], INF),
    ],
)
def test_infinities_are_alike_in_the_same_place(
    own: list[float], other: list[float], expected: float
) -> None:
    """What is finite beside them is compared; NaN equals nothing, not even itself."""
    assert relative_error(np.array(own), np.array(other)) == expected


@pytest.mark.flavour
@pytest.mark.parametrize("fault", [0.0, 0.01])
def test_scores_that_a_mask_keeps_out(fault: float, keras: Any) -> None:
    """Both give -inf there: the others decide."""
    from tensorflow import where

    class Masked(keras.layers.Layer):  # type: ignore[misc]
        """Keeps the first score."""

        def call(self, x: Any) -> Any:
            """Map (N, 3) to itself."""
            return where([[True, False, True]], x, np.array(-INF, x.dtype.name))

    stack = [keras.layers.Dense(3, name="scores"), Masked(name="masked")]
    model = keras.Sequential([keras.Input((4,)), *stack])

    def run(self: Any, x: Tensor) -> Any:
        return (self.scores(x) + fault).masked_fill(torch.tensor([False, True, False]), -INF)

    report = check(filled(model), Net(run, scores=nn.Linear(4, 3)), X)
    assert report.verdict == ("different" if fault else "same"), str(report)


@pytest.mark.flavour
@pytest.mark.parametrize("where", ["weights", "outputs"])
def test_nan_is_different_and_told(where: str, keras: Any) -> None:
    """Of Keras's own outputs: neither model is at fault."""
    dense = keras.layers.Dense(3, name="dense")
    model = filled(keras.Sequential([keras.Input((4,)), dense]))
    if where == "weights":
        dense.set_weights([np.full((4, 3), np.nan), np.zeros(3)])
    else:
        model.add(keras.layers.Lambda(lambda x: x * float("nan")))

    def run(self: Any, x: Tensor) -> Any:
        return self.dense(x) * (1.0 if where == "weights" else float("nan"))

    report = check(model, Net(run, dense=nn.Linear(4, 3)), X)
    assert report.verdict == "different"
    assert report.first_divergence.observed == INF
    assert any("contains NaN, which equals nothing" in note for note in report.notes), str(report)


@pytest.mark.flavour
@pytest.mark.parametrize("turn", [1, -1])
def test_a_cause_beside_infinities(turn: int, keras: Any) -> None:
    """Of examples the one that shows most is looked at, and infinities show nothing."""
    from tensorflow import where

    class Masked(keras.layers.Layer):  # type: ignore[misc]
        """Keeps the first score and the last."""

        def call(self, x: Any) -> Any:
            """Map (N, 3) to itself."""
            return where([[True, False, True]], x, np.array(-INF, x.dtype.name))

    stack = [keras.layers.Dense(3, name="a"), Masked(), keras.layers.LeakyReLU(0.25, name="leaky")]
    model = keras.Sequential([keras.Input((3,)), *stack])
    model.layers[0].set_weights([np.eye(3), np.zeros(3)])

    def run(self: Any, x: Tensor) -> Any:
        return self.leaky(self.a(x).masked_fill(torch.tensor([False, True, False]), -INF))

    x = np.random.default_rng(0).normal(size=(4, 3))
    x[0] = np.arange(1, 4)  # of which no slope shows
    module = Net(run, a=nn.Linear(3, 3), leaky=nn.LeakyReLU(0.01))
    report = check(model, module, x[::turn])
    assert [one.id for one in report.causes] == ["leaky_relu.slope"], str(report)


class Rooted(nn.Module):
    """Adds the square root of a weight that is 0, whose gradient is infinite."""

    def __init__(self) -> None:
        super().__init__()
        self.g = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, 3) to itself."""
        return x + torch.sqrt(self.g)


@pytest.mark.flavour
@pytest.mark.parametrize("share", [1.0, 0.5])
def test_an_infinite_gradient_hides_no_other(share: float, keras: Any) -> None:
    """What comes back to the first layer is compared, and a faithful port is the same."""
    from tensorflow import sqrt

    class Root(keras.layers.Layer):  # type: ignore[misc]
        """The port's twin."""

        def build(self, shape: Any) -> None:
            """One weight for each score."""
            self.g = self.add_weight(name="g", shape=(3,), initializer="zeros")

        def call(self, x: Any) -> Any:
            """Map (N, 3) to itself."""
            return x + sqrt(self.g)

    dense = [keras.layers.Dense(5, name="a"), keras.layers.Dense(3, name="b")]
    model = filled(keras.Sequential([keras.Input((4,)), *dense, Root(name="root")]))
    model.layers[-1].set_weights([np.zeros(3)])

    def run(self: Any, x: Tensor) -> Any:
        h = self.a(x)
        return self.root(self.b(h * share + h.detach() * (1 - share)))

    module = Net(run, a=nn.Linear(4, 5), b=nn.Linear(5, 3), root=Rooted())
    rules = {"targets": np.ones((5, 3)), "loss": "mse", "optimizer": "sgd", "steps": 1}
    report = check(model, module, X, **rules)
    assert report.verdict == ("same" if share == 1.0 else "different"), str(report)
    assert [one.id for one in report.causes] == ["gradient.detached"] * (share < 1.0)
