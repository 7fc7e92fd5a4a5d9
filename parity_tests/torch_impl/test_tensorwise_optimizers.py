"""Lamb, Adafactor and Muon, and the exclusion from weight decay, equal Keras's and the formula."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from parity.adapters.backend import Backend
from parity.numerics import tolerance
from parity.reference.keras_config import rounded
from parity.reference.optimizers.formulas import COMMON, FORMULAS, updated

pytestmark = pytest.mark.flavour

STEPS = 6
LIMIT = tolerance.FLOAT64["forward_eval"].limit
SHAPES: dict[str, tuple[int, ...]] = {
    "wide": (3, 7),
    "tall": (7, 3),
    "vector": (5,),
    "kernel": (2, 2, 3, 4),
}
LAYOUTS = {"kernel": (2, 3, 1, 0)}
"""PyTorch's dimension for each of Keras's axes; the other weights have Keras's layout."""

Arrays = dict[str, np.ndarray]

CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("Lamb", {}, {}),
    ("Lamb", {"learning_rate": 0.25, "beta_1": 0.5, "epsilon": 0.5}, {}),
    ("Lamb", {"weight_decay": 0.25}, {}),
    ("Lamb", {"clipnorm": 0.5}, {}),
    ("Adafactor", {}, {}),
    ("Adafactor", {"learning_rate": 0.5, "beta_2_decay": -0.5, "clip_threshold": 0.5}, {}),
    ("Adafactor", {"epsilon_1": 0.125, "epsilon_2": 8.0}, {}),
    ("Adafactor", {"weight_decay": 0.25, "global_clipnorm": 0.5}, {}),
    ("Muon", {}, {}),
    ("Muon", {"momentum": 0.5, "nesterov": False, "ns_steps": 2, "weight_decay": 0.25}, {}),
    ("Muon", {"rms_rate": None, "learning_rate": 0.125}, {"adam_weight_decay": 0.5}),
    ("Muon", {"clipvalue": 0.25}, {"beta_1": 0.5, "epsilon": 0.5, "adam_lr_ratio": 0.5}),
]
"""Class, options of its formula by Keras's names, options of Muon's Adam."""

_MOMENTS = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}
DEFAULTS: dict[str, dict[str, Any]] = {
    "Lamb": _MOMENTS,
    "Adafactor": {
        **{"beta_2_decay": -0.8, "epsilon_1": 1e-30, "epsilon_2": 1e-3, "clip_threshold": 1.0}
    },
    "Muon": {
        **{"momentum": 0.95, "nesterov": True, "ns_steps": 5, "rms_rate": 0.2},
        "weight_decay": 0.004,
    },
}
ADAM = {**_MOMENTS, "adam_weight_decay": 0.004, "adam_lr_ratio": 1.0}
"""Defaults of Keras's."""


def start() -> Arrays:
    """Weights in Keras's layout; one is zero."""
    rng = np.random.default_rng(0)
    weights = {name: rng.standard_normal(shape) for name, shape in SHAPES.items()}
    return weights | {"zeros": np.zeros((2, 3))}


def gradients() -> list[Arrays]:
    rng = np.random.default_rng(1)
    return [
        {name: rng.standard_normal(one.shape) * 0.1 for name, one in start().items()}
        for _ in range(STEPS)
    ]


def by_formula(kind: str, given: Mapping[str, Any], adam: Mapping[str, Any]) -> Arrays:
    """The weights after all steps, by the NumPy formula."""
    common = {**COMMON, "learning_rate": 1e-3, **given}
    found: Arrays = {}
    for name, weight in start().items():
        formula, c = kind.lower(), dict(common)
        if kind == "Muon" and weight.ndim != 2:
            formula, c = "adam", {**common, **FORMULAS["adam"].settings, **adam}
            c["learning_rate"] *= c["adam_lr_ratio"]
            c["weight_decay"] = c["adam_weight_decay"] / c["adam_lr_ratio"]  # not scaled by it
        slots: Arrays = {}
        for step, every in enumerate(gradients()):
            norm = float(np.sqrt(sum((one**2).sum() for one in every.values())))
            weight, slots = updated(formula, c, step + 1, weight, every[name], slots, norm)
        found[name] = weight
    return found


KERAS_ADAM = {"beta_1": "adam_beta_1"}


def by_keras(
    kind: str, given: Mapping[str, Any], adam: Mapping[str, Any], dtype: str
) -> tuple[Arrays, float]:
    """The same by Keras, and its learning rate."""
    from keras_impl.framework import keras, set_dtype, tf

    set_dtype(dtype)
    variables = {name: tf.Variable(one.astype(dtype)) for name, one in start().items()}
    if hasattr(keras, "Variable"):
        variables = {
            name: keras.Variable(one.astype(dtype), name=name) for name, one in start().items()
        }
    own = {KERAS_ADAM.get(name, name): value for name, value in adam.items()}
    optimizer = getattr(keras.optimizers, kind)(**given, **own)
    optimizer.build(list(variables.values()))
    for every in gradients():
        optimizer.apply_gradients(
            [(tf.constant(every[name].astype(dtype)), one) for name, one in variables.items()]
        )
    rate = float(optimizer.learning_rate.numpy())
    return {name: one.numpy() for name, one in variables.items()}, rate


def by_torch(
    kind: str, given: Mapping[str, Any], adam: Mapping[str, Any], flavour: str, dtype: str
) -> Arrays:
    """The same by PyTorch, with the kernel in PyTorch's layout."""
    import torch

    from torch_impl import optim

    options = {**given, **adam}
    if "learning_rate" in options:
        options["lr"] = options.pop("learning_rate")
    if "beta_1" in options:
        options["betas"] = options.pop("beta_1"), options.pop("beta_2", 0.999)
    if "epsilon" in options:
        options["eps"] = options.pop("epsilon")
    if "epsilon_1" in options:
        options["eps"] = options.pop("epsilon_1"), options.pop("epsilon_2")

    def ours(name: str, values: np.ndarray) -> torch.Tensor:
        order = np.argsort(LAYOUTS[name]) if name in LAYOUTS else range(values.ndim)
        return torch.from_numpy(values.transpose(*order).astype(dtype))

    params = {name: ours(name, one).requires_grad_() for name, one in start().items()}
    if kind == "Adafactor":
        options["layouts"] = {params[name]: layout for name, layout in LAYOUTS.items()}
    optimizer = getattr(optim, kind)(params.values(), **options, flavour=flavour)
    for every in gradients():
        for name, param in params.items():
            param.grad = ours(name, every[name])
        optimizer.step()
    return {
        name: param.detach().permute(*LAYOUTS.get(name, range(param.ndim))).numpy()
        for name, param in params.items()
    }


def assert_close(found: Arrays, expected: Arrays, limit: float) -> None:
    """Every weight, relative to its largest entry, and every weight was updated."""
    for name, weight in start().items():
        away = abs(found[name] - expected[name]).max() / abs(expected[name]).max()
        assert away <= limit, f"{name}: {away:.1e}"
        assert (expected[name] != weight).any(), name


@pytest.mark.parametrize(("kind", "given", "adam"), CASES, ids=str)
def test_steps_follow_the_formula(
    kind: str, given: dict[str, Any], adam: dict[str, Any], flavour: str
) -> None:
    """In float64 the class's weights are those of the NumPy formula, for float32 constants."""
    given = rounded({"learning_rate": 1e-3, **DEFAULTS[kind], **given})
    adam = rounded({**ADAM, **adam}) if kind == "Muon" else {}
    found = by_torch(kind, given, adam, flavour, "float64")
    assert_close(found, by_formula(kind, given, adam), LIMIT)


FLOAT32_LIMIT = {"float64": LIMIT, "float32": 32 * float(np.finfo("float32").eps)}
"""Six steps of Muon are thirty products of matrices; measured 14 units in the last place."""


@pytest.mark.parametrize("dtype", FLOAT32_LIMIT)
@pytest.mark.parametrize(("kind", "given", "adam"), CASES, ids=str)
def test_steps_are_keras_s(
    kind: str,
    given: dict[str, Any],
    adam: dict[str, Any],
    dtype: str,
    keras_backend: Backend,
    flavour: str,
    keras: Any,
) -> None:
    """With Python floats, Keras's class gives the same weights."""
    if not hasattr(keras.optimizers, kind):
        pytest.skip("Keras 2 has no such optimizer")
    expected, rate = by_keras(kind, given, adam, dtype)
    found = by_torch(kind, {**given, "learning_rate": rate}, adam, flavour, dtype)
    assert_close(found, expected, FLOAT32_LIMIT[dtype])


def test_a_wrong_layout_is_another_adafactor() -> None:
    """Without its layout, a kernel's factors are those of its height and width."""
    import torch

    from torch_impl import optim

    moved = []
    for layouts in (True, False):
        weight = torch.ones(4, 3, 2, 2, dtype=torch.float64).requires_grad_()
        given = {weight: LAYOUTS["kernel"]} if layouts else {}
        optimizer = optim.Adafactor([weight], lr=0.5, layouts=given)
        weight.grad = torch.from_numpy(np.random.default_rng(0).standard_normal((4, 3, 2, 2)))
        optimizer.step()
        moved.append(weight.detach())
    assert abs(moved[0] - moved[1]).max() > 0.01


@pytest.mark.parametrize("kind", ["SGD", "AdamW", "Lamb", "Adafactor", "Muon"])
@pytest.mark.parametrize("by", ["weights", "names"])
def test_excluded_weights_do_not_decay(
    kind: str, by: str, keras_backend: Backend, keras: Any
) -> None:
    """Weights excluded by themselves or by a part of their name decay as in Keras: not at all."""
    import torch

    from keras_impl.framework import set_dtype, tf
    from torch_impl import optim

    if not hasattr(keras.optimizers, kind):
        pytest.skip("Keras 2 has no such optimizer")
    set_dtype("float64")
    make = getattr(keras, "Variable", tf.Variable)
    variables = [make(np.full((2, 2), 2.0), name=name) for name in ("kernel", "bias")]
    k = getattr(keras.optimizers, kind)(learning_rate=0.5, weight_decay=0.25)
    params = {name: torch.full((2, 2), 2.0, dtype=torch.float64) for name in ("kernel", "bias")}
    t = getattr(optim, kind)(
        [(name, param.requires_grad_()) for name, param in params.items()],
        lr=0.5,
        weight_decay=0.25,
    )
    if by == "weights":
        k.exclude_from_weight_decay(var_list=variables[1:])
        t.exclude_from_weight_decay([params["bias"]])
    else:
        k.exclude_from_weight_decay(var_names=["ia", "gamma"])
        t.exclude_from_weight_decay(names=["ia", "gamma"])
    gradient = np.zeros((2, 2))
    k.apply_gradients([(tf.constant(gradient), one) for one in variables])
    for param in params.values():
        param.grad = torch.from_numpy(gradient)
    t.step()
    for variable, param in zip(variables, params.values(), strict=True):
        assert np.array_equal(variable.numpy(), param.detach().numpy())
    assert (params["bias"] == 2.0).all()
    assert (params["kernel"] == 1.75).all()


def refused(
    kind: str, given: dict[str, Any], call: Sequence[str], names: bool, message: str
) -> None:
    import torch

    from torch_impl import optim

    param = torch.zeros(2, 2, requires_grad=True)
    param.grad = torch.ones(2, 2)

    def run() -> None:
        optimizer = getattr(optim, kind)([("a", param)] if names else [param], **given)
        optimizer.step()
        optimizer.exclude_from_weight_decay(names=call)

    with pytest.raises(ValueError, match=message) as caught:
        run()
    assert "\n" not in str(caught.value)


def test_refusals() -> None:
    """The error is one line: the value received and what is accepted."""
    refused("Adafactor", {"beta_2_decay": 0.5}, (), True, "beta_2_decay: received 0.5, accepted")
    refused("Adafactor", {"clip_threshold": 0.0}, (), True, "clip_threshold: received 0.0")
    refused("Muon", {"exclude_layers": ["a"]}, (), False, "without names, accepted: with params=")
    refused("SGD", {}, ["a"], True, "received after 1 steps, accepted: before them")


def test_names_are_needed() -> None:
    """Without ``named_parameters`` a choice by name is an error, not ignored."""
    import torch

    from torch_impl import optim

    optimizer = optim.SGD([torch.zeros(1, requires_grad=True)], weight_decay=0.1)
    with pytest.raises(ValueError, match=r"names: received \['bias'\], accepted: with params="):
        optimizer.exclude_from_weight_decay(names=["bias"])


def test_muon_leaves_named_layers_to_adam() -> None:
    """Embeddings and the layers chosen by name get Adam's update."""
    import torch

    from torch_impl import optim

    names = ["embedding.weight", "body.weight", "head.weight"]
    params = [torch.ones(2, 3, dtype=torch.float64, requires_grad=True) for _ in names]
    muon = optim.Muon(
        zip(names, params, strict=True), lr=0.5, exclude_layers=["hea"], weight_decay=0.0
    )
    other = torch.ones(2, 3, dtype=torch.float64, requires_grad=True)
    adam = optim.Adam([other], lr=0.5, weight_decay=0.004)
    for param in (*params, other):
        param.grad = torch.arange(6.0, dtype=torch.float64).reshape(2, 3)
    muon.step()
    adam.step()
    assert [torch.equal(param, other) for param in params] == [True, False, True]
    assert [muon.state[param]["v"].ndim for param in params] == [2, 0, 2]
    assert FORMULAS["muon"].torch is None
