"""Specs: what they accept, what they refuse, and that both frameworks build what the tables say."""

from __future__ import annotations

import dataclasses
import json

import pytest

from parity.errors import ParityError
from parity.reference.optimizers.spec import OptimizerSpec
from parity.specs.cnn import CnnSpec
from parity.specs.registry import MODELS
from parity.specs.rnn import RnnSpec
from parity.specs.run import differences, spec_from_json
from parity_tests.support import cases

IMAGE = {"input_shape": (8, 8, 1), "classes": 10}
SEQUENCE = {"input_shape": (9, 4), "classes": 10}
REFUSED = [
    ("dropout", {**IMAGE, "rate": 1.0}, "rate: received 1.0"),
    ("dropout", {**IMAGE, "rate": -0.1}, "rate: received -0.1"),
    ("dropout", {**IMAGE, "rate": float("nan")}, "rate: received nan"),
    ("dropout", {**IMAGE, "hidden": ()}, "hidden: received ()"),
    ("softmax", {**IMAGE, "hidden": (0,)}, "hidden: received (0,)"),
    ("softmax", {**IMAGE, "hidden": 128}, "hidden: received 128"),
    ("softmax", {**IMAGE, "output": "odds"}, "output: received 'odds'"),
    ("softmax", {**IMAGE, "classes": 1}, "classes: received 1"),
    ("softmax", {**IMAGE, "head": "sigmoid"}, "classes: received 10 with head 'sigmoid'"),
    ("softmax", {**IMAGE, "kernel_initializer": "glorot"}, "kernel_initializer: received 'glorot'"),
    ("cnn", {**IMAGE, "kernel_size": 9}, "kernel_size: received 9"),
    ("cnn", {**IMAGE, "stride": 0}, "stride: received 0"),
    ("cnn", {**IMAGE, "channels": (4, 4, 4, 4)}, "channels: received 4 blocks"),
    ("cnn", {**IMAGE, "batch_norm": 1}, "batch_norm: received 1"),
    ("cnn", {**IMAGE, "batch_norm_epsilon": 0.0}, "batch_norm_epsilon: received 0.0"),
    ("softmax", {**IMAGE, "activation": "selu"}, "activation: received 'selu'"),
    ("dropout", {**IMAGE, "negative_slope": -0.1}, "negative_slope: received -0.1"),
    ("softmax", {**IMAGE, "layer_norm_epsilon": 0.0}, "layer_norm_epsilon: received 0.0"),
    ("softmax", {**IMAGE, "l2": -1e-3}, "l2: received -0.001"),
    ("rnn", {**SEQUENCE, "l2": float("inf")}, "l2: received inf"),
    ("softmax", {**IMAGE, "bias_l1": -1}, "bias_l1: received -1"),
    ("cnn", {**IMAGE, "activity_l2": float("nan")}, "activity_l2: received nan"),
    ("dropout", {**IMAGE, "dropout_kind": "beta"}, "dropout_kind: received 'beta'"),
    ("softmax", {**IMAGE, "noise": 1.5}, "noise: received 1.5"),
    ("cnn", {**IMAGE, "flip": "left"}, "flip: received 'left'"),
    ("cnn", {**IMAGE, "zoom": 1.0}, "zoom: received 1.0"),
    ("cnn", {**IMAGE, "shift": -0.1}, "shift: received -0.1"),
    ("cnn", {**IMAGE, "max_norm": -1.0}, "max_norm: received -1.0"),
    ("rnn", {**SEQUENCE, "max_norm": 2, "non_negative": True}, "received max_norm 2 and non_neg"),
    ("cnn", {**IMAGE, "pool": "mean"}, "pool: received 'mean'"),
    ("cnn", {**IMAGE, "pool_padding": "full"}, "pool_padding: received 'full'"),
    ("cnn", SEQUENCE, "input_shape: received (9, 4)"),
    ("rnn", {**SEQUENCE, "units": 0}, "units: received 0"),
    ("rnn", {**SEQUENCE, "cell": "gated"}, "cell: received 'gated'"),
    ("rnn", {**SEQUENCE, "tokens": 17}, "tokens: received 17 with 4 features per step"),
    ("rnn", {**SEQUENCE, "input_shape": (9, 1), "tokens": 1}, "tokens: received 1"),
    ("rnn", {**SEQUENCE, "input_shape": (9, 1), "tokens": -2}, "tokens: received -2"),
    ("rnn", {**SEQUENCE, "embedding": 0}, "embedding: received 0"),
    ("rnn", IMAGE, "input_shape: received (8, 8, 1)"),
]


@pytest.mark.parametrize(
    ("family", "fields", "message"), REFUSED, ids=lambda value: str(value)[:40]
)
def test_a_value_out_of_range_is_refused_by_name(family: str, fields: dict, message: str) -> None:
    """The error names the field, the value received and what is accepted."""
    with pytest.raises(ParityError) as caught:
        MODELS[family](**fields)
    assert message in str(caught.value)
    assert "accepted: " in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("momentum", 0.0),  # Keras 3 would make no velocity of it; that is the optimizer sgd
        ("momentum", 1.0),
        ("momentum", 1.0 - 1e-12),  # which float32 rounds to one
        ("learning_rate", 0.0),
        ("learning_rate", 1e300),
        ("learning_rate", 1e-60),
        ("beta_2", -0.5),
        ("epsilon", float("inf")),
        ("name", "adamant"),
        ("weight_decay", -0.1),
        ("clipnorm", -1.0),
        ("global_clipnorm", float("nan")),
    ],
)
def test_an_optimizer_value_out_of_range_is_refused(name: str, value: object) -> None:
    """What float32 makes of a value must lie in the range too."""
    with pytest.raises(ParityError, match=f"{name}: received .*, accepted: "):
        OptimizerSpec(**{"name": "momentum" if name == "momentum" else "adam", name: value})


def test_two_ways_to_clip_are_refused() -> None:
    """Keras takes one of them, too."""
    with pytest.raises(ParityError, match="clipping: received clipnorm 1, global_clipnorm 2, acc"):
        OptimizerSpec(clipnorm=1, global_clipnorm=2)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ((1.0, 2.0), "class_weights: received 2 values, accepted: none, or one for each of the 10"),
        ((-1.0,) * 10, "class_weights: received (-1.0, "),
        (("1",) * 10, "class_weights: received ('1', "),
        (1.0, "class_weights: received 1.0"),
    ],
)
def test_class_weights_that_do_not_fit_are_refused(weights: object, message: str) -> None:
    """There is one for each class, none below zero."""
    with pytest.raises(ParityError) as caught:
        cases.spec_of("softmax", "square", training={"class_weights": weights})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "fields", "expected"),
    [
        ((8, 8, 1), {}, (8, 8)),
        ((8, 8, 1), {"tokens": 0}, (8, 8)),
        ((8, 8, 1), {"tokens": 17}, (64, 1)),
        ((4, 3, 2), {"tokens": 17}, (24, 1)),
        ((29, 12), {}, (29, 12)),
        ((29, 1), {"tokens": 17}, (29, 1)),
    ],
)
def test_tokens_make_a_step_of_every_value(shape: tuple, fields: dict, expected: tuple) -> None:
    """An image's rows are the steps of a sequence; with tokens its every value is one."""
    assert RnnSpec.shape_for(shape, "data", fields) == expected


def test_tokens_of_several_features_a_step_are_refused() -> None:
    """A step is one token."""
    with pytest.raises(ParityError, match=r"tokens: received 17 with dataset vowels, .* accepted"):
        RnnSpec.shape_for((29, 12), "vowels", {"tokens": 17})


@pytest.mark.parametrize(("family", "variant"), cases.VARIANTS)
def test_a_spec_survives_json(family: str, variant: str) -> None:
    """Written to JSON and read back, a spec is equal to itself."""
    spec = cases.spec_of(family, variant)
    again = spec_from_json(json.loads(json.dumps(spec.to_json())), "spec")
    assert again == spec
    assert differences(again, spec) == []


@pytest.mark.parametrize("recipe", cases.RECIPES)
def test_a_recipe_survives_json(recipe: str) -> None:
    """Written to JSON and read back, fields of training and optimizer are the same numbers."""
    spec = cases.spec_of("softmax", "square", **cases.RECIPES[recipe])
    text = json.dumps(spec.to_json())
    again = spec_from_json(json.loads(text), "spec")
    assert again == spec
    assert json.dumps(again.to_json()) == text


def test_differences_are_named() -> None:
    """Two specs that part in one field yield its dotted name and both values."""
    a, b = (
        cases.spec_of("softmax", "regression-logits"),
        cases.spec_of("softmax", "hidden_128-logits"),
    )
    assert differences(a, b) == [("model.hidden", (), (128,))]


def test_every_option_of_every_model_is_explicit() -> None:
    """Every field has help text and a statement of what it accepts."""
    for cls in MODELS.values():
        for field in dataclasses.fields(cls):
            assert field.metadata["help"], field.name
            assert field.metadata["accepts"].describe(), field.name


def test_blocks_halve_odd_sizes_as_padded() -> None:
    """A 7×7 image leaves 3×3 and then 1×1 of 'valid' pools, 4×4 and then 2×2 of 'same' ones."""
    spec = CnnSpec(input_shape=(7, 7, 1), classes=10, channels=(2, 2))
    assert [block[1:] for block in spec.blocks()] == [((7, 7), (3, 3)), ((3, 3), (1, 1))]
    same = dataclasses.replace(spec, pool_padding="same")
    assert [block[1:] for block in same.blocks()] == [((7, 7), (4, 4)), ((4, 4), (2, 2))]
