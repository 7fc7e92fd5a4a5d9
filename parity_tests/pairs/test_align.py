"""Which layer is which, where order and shapes leave a choice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from parity.pairs.align import feeds
from parity.pairs.calls import Call
from parity.pairs.check import check
from parity_tests.pairs.models import fill

pytestmark = pytest.mark.flavour


def keras_attention(keras: Any) -> Any:
    """Three projections of one input, all of one shape, that are not alike in what follows."""
    layers = keras.layers
    x = keras.Input((6,))
    query, key, value = (layers.Dense(6, name=name)(x) for name in ("query", "key", "value"))
    score = layers.Multiply(name="score")([query, layers.ReLU(name="act")(key)])
    joined = layers.Concatenate(name="join")([score, value])
    return keras.Model(x, layers.Dense(2, name="out")(joined))


class Attention(nn.Module):
    """Its port, which calls and names the projections in an order of its own."""

    def __init__(self, names: tuple[str, str, str], order: tuple[int, int, int]) -> None:
        super().__init__()
        self.names, self.order = names, order
        for name in names:
            setattr(self, name, nn.Linear(6, 6))
        self.out = nn.Linear(12, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, 6) to (N, 2)."""
        found = {number: getattr(self, self.names[number])(x) for number in self.order}
        score = found[0] * torch.relu(found[1])
        return self.out(torch.cat((score, found[2]), 1))


@pytest.mark.parametrize("names", [("q_proj", "k_proj", "v_proj"), ("query", "key", "value")])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_siblings_are_told_apart_by_name(
    names: tuple[str, str, str], order: tuple[int, int, int], keras: Any
) -> None:
    """Same kind, same shapes, same input: what they are called decides, not when."""
    x = np.random.default_rng(0).normal(size=(4, 6))
    report = check(fill(keras_attention(keras)), Attention(names, order), x)
    assert report.verdict == "same", str(report)


def test_names_that_are_not_alike_leave_the_order(keras: Any) -> None:
    """``dense`` has letters of ``second``, and is the first all the same."""
    layers = keras.layers
    x = keras.Input((5,))
    model = fill(keras.Model(x, [layers.Dense(5, name=name)(x) for name in ("dense", "dense_1")]))

    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(5, 5), nn.Linear(5, 5)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return self.first(x), self.second(x)

    report = check(model, Two(), np.random.default_rng(0).normal(size=(4, 5)))
    assert report.verdict == "same", str(report)


def test_many_joins_are_followed_once() -> None:
    """Forty blocks that add their input double the ways forty times; each call is seen once."""
    calls = [
        Call(
            number=number,
            name=str(number),
            kind="Add",
            config=None,
            weights={},
            inputs=(),
            output=np.zeros(1),
            sources=(number - 1, number - 1 if number < 2 else number - 2),
        )
        for number in range(80)
    ]
    assert feeds(calls[-1], calls, set()) == {-1}


def test_numbers_in_names_say_nothing(keras: Any) -> None:
    """Two heads that differ by a number are taken in order."""
    layers = keras.layers
    x = keras.Input((5,))
    heads = [layers.Dense(5, name=f"head_{number}")(x) for number in (1, 2)]
    model = fill(keras.Model(x, heads))

    class Heads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head0, self.head1 = nn.Linear(5, 5), nn.Linear(5, 5)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return self.head0(x), self.head1(x)

    report = check(model, Heads(), np.random.default_rng(0).normal(size=(4, 5)))
    assert report.verdict == "same", str(report)
