"""The check as a whole: several causes at once, latent ones, float32, wrong use, the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from parity.errors import ParityError
from parity.pairs.check import check
from parity_tests.pairs.zoo.building import Net
from parity_tests.pairs.zoo.models import PAIRS, fill

pytestmark = pytest.mark.flavour

CNN = PAIRS["cnn"]
SEVERAL = {"epsilon": 1e-5, "slope": 0.01, "stem_padding": (1, 1, 1, 1), "act": "elu"}


def test_several_causes_are_all_found(keras: Any) -> None:
    """After one is named, the check goes on as if it were mended."""
    report = check(fill(CNN.keras(keras)), CNN.torch(**SEVERAL), CNN.inputs())
    found = [(cause.layer, cause.id) for cause in report.causes]
    assert found == [
        ("stem", "conv.same_padding"),
        ("norm", "batch_norm.epsilon"),
        ("act", "activation.function"),
        ("leaky", "leaky_relu.slope"),
    ]
    assert report.first_divergence is not None
    assert report.first_divergence.keras_layer == "stem"
    assert report.first_divergence.torch_module == "features.conv"


def test_settings_that_do_not_show_are_latent(keras: Any) -> None:
    """Momentum and dropout rate leave evaluation alone; the verdict is as without them."""
    module = CNN.torch(momentum=0.1, rate=0.2)
    report = check(fill(CNN.keras(keras)), module, CNN.inputs())
    assert report.verdict == "same"
    found = {(one.layer, one.id, one.rung) for one in report.latent}
    assert found == {
        ("norm", "batch_norm.momentum", "step"),
        ("drop", "dropout.rate", "forward_train"),
    }
    assert all(one.proof is None for one in report.latent)


@pytest.mark.parametrize("changed", [{"epsilon": 1e-3}, {"slope": 0.3}])
def test_a_constant_rounded_to_float32_is_the_same(keras: Any, changed: dict[str, float]) -> None:
    """Whichever side rounds it."""
    rounded = {name: float(np.float32(value)) for name, value in changed.items()}
    report = check(fill(CNN.keras(keras)), CNN.torch(**rounded), CNN.inputs())
    assert report.verdict == "same", str(report)


def test_the_user_models_are_left_alone(keras: Any) -> None:
    """Neither weights nor modes nor dtypes of the models that were given change."""
    model, module = fill(CNN.keras(keras)), CNN.torch()
    before = [value.copy() for value in model.get_weights()]
    state = {name: value.clone() for name, value in module.state_dict().items()}
    check(model, module, CNN.inputs())
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    after = module.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in state.items())
    assert module.training
    assert "forward" not in vars(module.fc1), "nothing watches it any more"
    assert keras.backend.floatx() == "float32"


def test_builders_serve_as_well(keras: Any) -> None:
    """Functions that build the models are called under float64."""
    report = check(lambda: fill(CNN.keras(keras)), lambda: CNN.torch(), CNN.inputs())
    assert (report.verdict, report.dtype) == ("same", "float64")


@pytest.mark.parametrize("scale", [1.0, 1.001])
def test_without_float64_float32_is_judged_by_rounding(keras: Any, scale: float) -> None:
    """A subclassed model that cannot be copied is compared as it is; a thousandth shows."""
    report = check(subclassed(keras), Scaled(scale), np.random.default_rng(0).normal(size=(8, 6)))
    assert report.dtype == "float32"
    assert report.verdict == ("same" if scale == 1.0 else "different")
    assert any("weaker" in note for note in report.notes)
    assert report.float32 == ()


def test_an_order_that_fresh_statistics_hide_is_latent(keras: Any) -> None:
    """Before any training a norm only scales, so that the activation may stand on either side."""
    layers = keras.layers
    stack = [layers.Dense(5, name="one"), layers.BatchNormalization(name="norm"), layers.ReLU()]
    model = keras.Sequential([keras.Input((6,)), *stack, layers.Dense(3, name="two")])
    norm = nn.BatchNorm1d(5, eps=1e-3, momentum=0.01)
    module = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), norm, nn.Linear(5, 3))
    x = np.random.default_rng(0).normal(size=(8, 6))
    report = check(model, module, x)
    assert report.verdict == "same", str(report)
    assert [(one.layer, one.id) for one in report.latent] == [("norm", "structure.order")]
    report = check(fill(model), module, x)
    assert [(one.layer, one.id) for one in report.causes] == [("norm", "structure.order")]


def test_a_model_in_float64_needs_no_copy(keras: Any) -> None:
    """Compared as it is, and never trained: it stays the user's."""
    from keras_impl.framework import set_dtype

    set_dtype("float64")
    model, x = subclassed(keras), np.random.default_rng(0).normal(size=(8, 6))
    assert check(model, Scaled(1.0), x).dtype == "float64"
    with pytest.raises(ParityError, match="loss: received one, but Own cannot be copied"):
        check(model, Scaled(1.0), x, targets=np.zeros((8, 3)), loss="mse")


@pytest.mark.parametrize("side", ["keras", "torch"])
def test_weights_of_either_side(keras: Any, side: str) -> None:
    """PyTorch's are carried over to Keras as well, and nobody's are where that is asked for."""
    model, module = CNN.keras(keras), CNN.torch()
    assert check(model, module, CNN.inputs(), weights=side).verdict == "same"
    assert check(model, module, CNN.inputs(), weights="as-is").verdict == "different"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_builders_may_give_what_is_there_already(keras: Any, dtype: str) -> None:
    """A model of another dtype than is asked for is copied, and stays the user's."""
    from keras_impl.framework import set_dtype

    set_dtype(dtype)
    model, module = fill(CNN.keras(keras)), CNN.torch().to(getattr(torch, dtype))
    set_dtype("float32")
    before = [value.clone() for value in module.parameters()]
    report = check(lambda: model, lambda: module, CNN.inputs())
    assert (report.verdict, report.dtype) == ("same", "float64"), str(report)
    assert report.float32
    assert all(map(torch.equal, before, module.parameters()))


def test_a_forward_of_the_instance_is_kept(keras: Any) -> None:
    """What the user has put in a module's place is what runs, every time."""
    model = fill(keras.Sequential([keras.Input((6,)), keras.layers.Dense(5, activation="relu")]))
    module = nn.Sequential(nn.Linear(6, 5), nn.Identity())
    forward = module[1].forward = torch.relu  # type: ignore[method-assign]
    x = np.random.default_rng(0).normal(size=(8, 6))
    assert check(model, lambda: module, x).verdict == "same"
    assert module[1].forward is forward


class Scaled(nn.Module):
    """The port of :func:`subclassed`."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.one, self.two = nn.Linear(6, 5), nn.Linear(5, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Two layers."""
        return self.two(torch.relu(self.one(x)) * self.scale)


def subclassed(keras: Any) -> Any:
    """A model that does not say how it is made."""

    class Own(keras.Model):  # type: ignore[misc]
        def __init__(self, layers: Any) -> None:
            super().__init__()
            self.one, self.two = layers

        def call(self, x: Any, training: bool = False) -> Any:
            return self.two(self.one(x))

        def get_config(self) -> Any:
            raise NotImplementedError("no configuration")

    own = Own([keras.layers.Dense(5, activation="relu"), keras.layers.Dense(3)])
    own(np.zeros((1, 6), own.dtype))
    return own


def raising() -> nn.Module:
    """A builder that fails."""
    raise OSError("no such weights")


def kept() -> nn.Module:
    """A module that has kept what it gave, with its graph: it cannot be copied."""
    module = nn.Linear(4, 4)
    module.last = module(torch.ones(1, 4))  # type: ignore[assignment]
    return module


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "weights": ({"weights": "mine"}, "weights: received 'mine', accepted: keras, torch, as-is"),
    "inputs": ({"inputs": ["a"]}, "inputs: received <U1, accepted: arrays of numbers"),
    "no inputs": ({"inputs": []}, "inputs: received none"),
    "shape": ({"inputs": np.zeros((2, 5, 5, 3))}, r"cannot be called with inputs of shape \(2, 5,"),
    "no module": ({"torch_model": 3}, "torch_model: received int, accepted: a torch.nn.Module"),
    "builder": ({"torch_model": raising}, "its builder raised OSError: no such weights"),
    "no model": ({"keras_model": "x.keras"}, "keras_model: received str, accepted: a Keras model"),
    "another": ({"keras_model": lambda: 4}, "its builder returned int, accepted: a Keras model"),
    "map": ({"layer_map": {"stm": "fc1"}}, "layer_map: received 'stm', accepted: stem"),
    "two inputs": ({"torch_model": PAIRS["residual"].torch}, "torch_model: cannot be called"),
    "keras builder": ({"keras_model": raising}, "keras_model: its builder raised OSError: no such"),
    "none": ({"inputs": None}, "inputs: received NoneType, accepted: arrays of numbers"),
    "empty": (
        {"inputs": np.zeros((0, 8, 8, 3))},
        r"received an array of shape \(0, 8, 8, 3\)",
    ),
    "NaN": (
        {"inputs": np.full((2, 8, 8, 3), np.nan)},
        "inputs: received NaN, which equals",
    ),
    "whole": ({"inputs": np.ones((2, 8, 8, 3), int)}, "whole numbers reach it as such"),
    "bfloat16": ({"inputs": torch.ones(2).bfloat16()}, r"received Tensor \(TypeError: Got unsupp"),
    "no mapping": ({"layer_map": ["stem"]}, "layer_map: received list, accepted: a mapping"),
    "no name": ({"layer_map": {"stem": 1}}, "layer_map: received 'stem': 1, accepted: names"),
    "map twice": (
        {"layer_map": {"stem": "fc1", "norm": "fc1"}},
        "layer_map: received stem=fc1 and norm=fc1, accepted: each module once",
    ),
    "lazy": ({"torch_model": nn.LazyLinear(3)}, "received LazyLinear whose weight has no shape"),
    "steps": ({"steps": 0}, "steps: received 0, accepted: a whole number from 1 on"),
    "half a step": ({"steps": 2.5}, r"steps: received 2\.5, accepted: a whole number from 1 on"),
    "several steps": ({"steps": "x"}, "steps: received 'x', accepted: a whole number from 1 on"),
    "seed": ({"seed": "x"}, "seed: received 'x', accepted: a whole number from 0 on"),
    "no copy": ({"torch_model": kept()}, "torch_model: received Linear, which cannot be copied"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_use_is_told_in_one_line(name: str, keras: Any) -> None:
    """The value received, and what is accepted."""
    changed, message = WRONG[name]
    given = {"keras_model": fill(CNN.keras(keras)), "torch_model": CNN.torch(), **changed}
    inputs = given.pop("inputs", CNN.inputs())
    with pytest.raises(ParityError, match=message) as raised:
        check(given.pop("keras_model"), given.pop("torch_model"), inputs, **given)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("built", [True, False])
@pytest.mark.parametrize("kind", ["Sequential", "nested", "subclassed"])
def test_a_model_without_weights_yet_gets_them(kind: str, built: bool, keras: Any) -> None:
    """No input shape is told, and nothing has called it: the inputs of the check do."""

    class Own(keras.Model):  # type: ignore[misc]
        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            self.dense = keras.layers.Dense(3)

        def call(self, x: Any, training: bool = False) -> Any:
            return self.dense(x)

    def sequential() -> Any:
        return keras.Sequential([keras.layers.Dense(3)])

    makers = {
        "Sequential": sequential,
        "nested": lambda: keras.Sequential([sequential()]),
        "subclassed": Own,
    }
    make = makers[kind]
    given = {"targets": np.ones((5, 3)), "loss": "mse", "optimizer": "sgd", "steps": 2}
    x = np.random.default_rng(0).normal(size=(5, 4))
    report = check(make() if built else make, nn.Sequential(nn.Linear(4, 3)), x, **given)
    assert report.verdict == "same", str(report)
    assert str(report).startswith("SAME: 1 pair of layers differs by at most")


@pytest.mark.parametrize("fits", [True, False])
def test_sequences_come_channels_first_where_nothing_else_fits(keras: Any, fits: bool) -> None:
    """A convolution as the first module takes them so; what fits in no way is told as it is."""
    layers = keras.layers
    stack = [layers.Conv1D(4, 3, name="conv"), layers.Flatten(), layers.Dense(2, name="classes")]
    model = fill(keras.Sequential([keras.Input((9, 5)), *stack]))
    module = nn.Sequential(nn.Conv1d(5, 4, 3), nn.Flatten(), nn.Linear(28 if fits else 3, 2))
    x = np.random.default_rng(0).normal(size=(3, 9, 5))
    if fits:
        assert check(model, module, x).verdict == "same"
    else:
        with pytest.raises(ParityError, match=r"inputs of shape \(3, 9, 5\)"):
            check(model, module, x)


class Scale(nn.Module):
    """A number for each entry."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.randn(5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Each times its own."""
        return x * self.scale


def test_a_kind_that_is_not_known_is_told(keras: Any) -> None:
    """It is held against its partner, and the report says how; of known kinds it says nothing."""

    class Own(keras.layers.Layer):  # type: ignore[misc]
        def build(self, shape: Any) -> None:
            self.scale = self.add_weight(name="scale", shape=(5,), initializer="normal")

        def call(self, x: Any) -> Any:
            return x * self.scale

    layers = keras.layers
    model = keras.Sequential([keras.Input((6,)), layers.Dense(5), Own(name="own")])
    x = np.random.default_rng(0).normal(size=(3, 6))
    report = check(model, nn.Sequential(nn.Linear(6, 5), Scale()), x)
    assert report.verdict == "same", str(report)
    assert [one.keras for one in report.compared if not one.known] == ["own (Own)"]
    assert "Of unknown kind, compared by inputs and outputs: own (Own)" in str(report)


def test_what_is_not_followed_is_told(keras: Any) -> None:
    """An operation that only PyTorch's code has, and that is no layer of any kind."""
    model = fill(keras.Sequential([keras.Input((6,)), keras.layers.Dense(5)]))

    def run(self: Any, x: torch.Tensor) -> Any:
        return torch.cosh(self.dense(x))

    x = np.random.default_rng(0).normal(size=(3, 6))
    report = check(model, Net(run, dense=nn.Linear(6, 5)), x)
    assert [(one.id, one.keras, one.torch) for one in report.causes] == [
        ("unknown", "nothing", "cosh")
    ], str(report)


def test_a_mapping_that_is_given_is_kept_to(keras: Any) -> None:
    """Two layers that look alike, exchanged by hand."""
    layers = keras.layers
    model = fill(
        keras.Sequential([keras.Input((4,)), layers.Dense(4, name="a"), layers.Dense(4, name="b")])
    )
    module = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    x = np.random.default_rng(0).normal(size=(3, 4))
    assert check(model, module, x).verdict == "same"
    exchanged = check(model, module, x, layer_map={"a": "1", "b": "0"})
    assert exchanged.verdict == "different"


def test_two_layers_may_be_one_module_that_is_called_twice(keras: Any) -> None:
    """Its calls are theirs, one after the other."""
    layers = keras.layers
    model = fill(
        keras.Sequential([keras.Input((4,)), layers.Dense(4, name="a"), layers.Dense(4, name="b")])
    )
    model.layers[-1].set_weights(model.layers[-2].get_weights())

    def run(self: Any, x: torch.Tensor) -> Any:
        return self.both(self.both(x))

    x = np.random.default_rng(0).normal(size=(3, 4))
    names = {"b": "both", "a": "both"}
    report = check(model, Net(run, both=nn.Linear(4, 4)), x, layer_map=names)
    assert report.verdict == "same", str(report)
    assert [one.keras for one in report.compared] == ["a (Dense)", "b (Dense)"]


def test_the_report_fits_and_is_saved(keras: Any, tmp_path: Path) -> None:
    """80 columns; JSON that is strict, and a page."""
    report = check(fill(CNN.keras(keras)), CNN.torch(**SEVERAL), CNN.inputs())
    assert max(map(len, str(report).splitlines())) <= 80
    report.save(tmp_path / "out")
    saved = json.loads((tmp_path / "out" / "report.json").read_text())
    assert saved["verdict"] == "different"
    assert [cause["id"] for cause in saved["causes"]] == [cause.id for cause in report.causes]
    assert "conv.same_padding" in (tmp_path / "out" / "report.html").read_text()
