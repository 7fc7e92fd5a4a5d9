"""Which layer is which, where order and shapes leave a choice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from parity.adapters.calls import Call
from parity.pairs.align import match
from parity.pairs.align.call_graph import feeds
from parity.pairs.check import check
from parity_tests.pairs.zoo.models import fill

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


def two_branches(keras: Any) -> Any:
    """Two layers of one input and one shape, with nothing around them that differs."""
    layers = keras.layers
    x = keras.Input((5,))
    first, second = (layers.Dense(4, name=name)(x) for name in ("dense", "dense_1"))
    joined = layers.Concatenate()([first, second])
    return fill(keras.Model(x, layers.Dense(2, name="out")(joined)))


class Crossed(nn.Module):
    """Its port, whose names say nothing and which calls the second branch first."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right, self.out = nn.Linear(5, 4), nn.Linear(5, 4), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, 5) to (N, 2)."""
        second = self.left(x)
        return self.out(torch.cat((self.right(x), second), 1))


PLACES = {"dense": "right", "dense_1": "left", "out": "out"}
"""Layers of the one to the other's that hold their weights."""


def crossed(model: Any, without: str = "") -> Crossed:
    """The port with the weights of all layers but one, in float32."""
    module = Crossed()
    for name, place in PLACES.items():
        kernel, bias = model.get_layer(name).get_weights()
        linear = getattr(module, place)
        if name != without:
            linear.weight.data, linear.bias.data = torch.tensor(kernel.T), torch.tensor(bias)
    return module


def partners(report: Any) -> dict[str, str]:
    """Layers of either side that were compared, by name."""
    names = ((one.keras.split(" ")[0], one.torch.split(" ")[0]) for one in report.compared)
    return dict(names)


ROWS = np.random.default_rng(0).normal(size=(4, 5))


def test_siblings_are_told_apart_by_their_weights(keras: Any) -> None:
    """Where the weights have been carried over, the branch that has them is the partner."""
    model = two_branches(keras)
    report = check(model, crossed(model), ROWS, weights="as-is")
    assert report.verdict == "same", str(report)
    assert partners(report).items() >= PLACES.items()


@pytest.mark.parametrize("without", ["dense", "dense_1"])
def test_a_sibling_whose_weights_are_wrong_keeps_its_place(without: str, keras: Any) -> None:
    """The other one's partner is taken: only the layer with the wrong weights differs."""
    model = two_branches(keras)
    report = check(model, crossed(model, without), ROWS, weights="as-is")
    assert partners(report).items() >= PLACES.items()
    assert {one.layer for one in report.causes} == {without}, str(report)


def test_siblings_are_distinguished_by_where_their_outputs_are_used(keras: Any) -> None:
    """The names and the initial weights say nothing: the place in the concatenation decides."""
    report = check(two_branches(keras), Crossed(), ROWS)
    assert report.verdict == "same", str(report)
    assert partners(report).items() >= PLACES.items()


def test_siblings_of_the_same_names_in_the_other_places_are_a_fault(keras: Any) -> None:
    """A port that joins ``left`` and ``right`` the other way round."""
    layers = keras.layers
    x = keras.Input((5,))
    parts = [layers.Dense(4, name=name)(x) for name in ("right", "left")]
    out = layers.Dense(2, name="out")(layers.Concatenate()(parts[::-1]))
    report = check(fill(keras.Model(x, out)), Crossed(), ROWS)
    assert report.verdict == "different"
    assert [one.id for one in report.causes] == ["structure.order"], str(report)


@pytest.mark.parametrize("given", [{"dense": "right"}, {"dense_1": "left"}])
def test_a_mapping_may_be_given_in_part(given: dict[str, str], keras: Any) -> None:
    """One layer by hand; the others are found, with what is left."""
    report = check(two_branches(keras), Crossed(), ROWS, layer_map=given)
    assert report.verdict == "same", str(report)
    assert partners(report).items() >= PLACES.items()


def wide_and_near(keras: Any, kind: str) -> Any:
    """Two branches of one input and one shape that see windows of another width."""
    layers = keras.layers
    x = keras.Input((9, 9, 3))
    y = layers.Conv2D(4, 1, name="stem")(x)
    if kind == "pool":
        made = [layers.MaxPooling2D(size, 1, "same") for size in (3, 5)]
    else:
        made = [layers.Conv2D(4, 3, padding="same", dilation_rate=rate) for rate in (1, 2)]
    joined = layers.Add()([one(y) for one in made])
    return fill(keras.Model(x, layers.Conv2D(2, 1, name="out")(joined)))


class WideFirst(nn.Module):
    """Its port, which calls the wide branch first."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.stem, self.out = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 2, 1)
        self.parts = nn.ModuleList(
            nn.MaxPool2d(3 + 2 * more, 1, 1 + more)
            if kind == "pool"
            else nn.Conv2d(4, 4, 3, padding=1 + more, dilation=1 + more)
            for more in (1, 0)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, 3, H, W) to (N, 2, H, W)."""
        y = self.stem(x)
        wide, near = (one(y) for one in self.parts)
        return self.out(near + wide)


@pytest.mark.parametrize("looked_at", [True, False])
@pytest.mark.parametrize("kind", ["conv", "pool"])
def test_siblings_are_told_apart_by_their_settings(
    kind: str, looked_at: bool, keras: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parallel windows that are summed, in another order and before any weight is copied.

    (Pools are then not compared: what is between layers with weights has the same effect.)
    """
    if not looked_at:
        monkeypatch.setattr(match, "_equal", lambda *_: None)
    x = np.random.default_rng(0).normal(size=(2, 9, 9, 3))
    report = check(wide_and_near(keras, kind), WideFirst(kind), x)
    compared = sum(kind in one.keras.lower() for one in report.compared)
    if kind == "pool":
        assert (report.verdict, compared) == ("same", 2 if looked_at else 0), str(report)
    else:
        assert (report.verdict == "same") == looked_at, str(report)


class Recurrent(nn.Module):
    """A recurrent layer where Keras has a dense one: the shapes of both are the same."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.RNN(6, 6, batch_first=True), nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, T, 6) to (N, 2)."""
        return self.two(self.one(x)[0].mean(1))


def test_a_kernel_that_fits_another_kind_is_no_partner(keras: Any) -> None:
    """Kernel and output have the same shapes; the kinds have not, and both layers are listed."""
    layers = keras.layers
    made = [layers.Dense(6, name="mix"), layers.GlobalAveragePooling1D(), layers.Dense(2)]
    model = fill(keras.Sequential([keras.Input((4, 6)), *made]))
    report = check(model, Recurrent(), np.random.default_rng(0).normal(size=(3, 4, 6)))
    assert report.verdict == "different"
    assert "mix" not in partners(report)
    assert any("mix" in name for name in report.keras_only), report.keras_only
    assert any("one" in name for name in report.torch_only), report.torch_only


class Sideways(nn.Module):
    """A layer more, of a shape that would fit, which is called before the one that belongs."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.three = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 6)
        self.four = nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, 6) to (N, 2)."""
        y, beside = self.one(x), self.two(x)
        return self.four(self.three(y) + beside)


def test_a_layer_that_fits_and_is_fed_by_others_is_no_partner(keras: Any) -> None:
    """What feeds it decides; the one that is left is listed."""
    made = [keras.layers.Dense(2 if name == "c" else 6, name=name) for name in "abc"]
    model = fill(keras.Sequential([keras.Input((6,)), *made]))
    report = check(model, Sideways(), np.random.default_rng(0).normal(size=(4, 6)))
    assert partners(report).items() >= {("a", "one"), ("b", "three"), ("c", "four")}
    assert any("two" in name for name in report.torch_only), report.torch_only


def branches(keras: Any) -> Any:
    """Three convolutions of one shape: alone, before a larger one, and behind a pool."""
    layers = keras.layers
    x = keras.Input((8, 8, 3))
    large = layers.Conv2D(4, 3, padding="same", name="layer_0")
    before = layers.Conv2D(4, 1, name="layer_1")
    pool = layers.AveragePooling2D(3, 1, padding="same")
    behind, alone = (layers.Conv2D(4, 1, name=f"layer_{n}") for n in (2, 3))
    joined = layers.Concatenate()([alone(x), large(before(x)), behind(pool(x))])
    return keras.Model(x, layers.Dense(2)(layers.GlobalAveragePooling2D()(joined)))


class Branches(nn.Module):
    """The port, with names that say nothing."""

    def __init__(self, excluded: bool) -> None:
        super().__init__()
        self.a, self.b, self.c = (nn.Conv2d(3, 4, 1) for _ in "abc")
        self.d, self.e = nn.Conv2d(4, 4, 3, padding=1), nn.Linear(12, 2)
        self.pool = nn.AvgPool2d(3, 1, 1, count_include_pad=not excluded)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, 3, H, W) to (N, 2)."""
        parts = self.a(x), self.d(self.b(x)), self.c(self.pool(x))
        return self.e(torch.cat(parts, 1).mean((2, 3)))


@pytest.mark.parametrize("excluded", [True, False])
def test_branches_are_told_apart_by_what_stands_around_them(keras: Any, excluded: bool) -> None:
    """In whatever order Keras runs them; a fault in one does not change that."""
    report = check(
        fill(branches(keras)),
        Branches(excluded),
        np.random.default_rng(0).normal(size=(2, 8, 8, 3)),
    )
    wanted = {("layer_0", "d"), ("layer_1", "b"), ("layer_2", "c"), ("layer_3", "a")}
    assert partners(report).items() >= wanted
    assert report.verdict == ("same" if excluded else "different"), str(report)
    assert {one.id for one in report.causes} <= {"average_pool.same_padding"}
