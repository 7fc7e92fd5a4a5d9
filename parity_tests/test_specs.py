"""Specs: what they accept, what they refuse, and that both frameworks build what the tables say."""

from __future__ import annotations

import dataclasses
import json

import pytest

from parity.backend import Backend
from parity.errors import ParityError
from parity.optimizers import OptimizerSpec
from parity.specs.cnn import CnnSpec
from parity.specs.registry import MODELS
from parity.specs.run import differences, spec_from_json
from parity_tests import cases

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
    ("cnn", SEQUENCE, "input_shape: received (9, 4)"),
    ("rnn", {**SEQUENCE, "units": 0}, "units: received 0"),
    ("rnn", {**SEQUENCE, "cell": "gated"}, "cell: received 'gated'"),
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
    ],
)
def test_an_optimizer_value_out_of_range_is_refused(name: str, value: object) -> None:
    """What float32 makes of a value must lie in the range too."""
    with pytest.raises(ParityError, match=f"{name}: received .*, accepted: "):
        OptimizerSpec(**{name: value})


@pytest.mark.parametrize(("family", "variant"), cases.VARIANTS)
def test_a_spec_survives_json(family: str, variant: str) -> None:
    """Written to JSON and read back, a spec is equal to itself."""
    spec = cases.spec_of(family, variant)
    again = spec_from_json(json.loads(json.dumps(spec.to_json())), "spec")
    assert again == spec
    assert differences(again, spec) == []


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


def test_blocks_halve_odd_sizes_downwards() -> None:
    """A 7×7 image leaves 3×3 and then 1×1, as 'valid' pooling does."""
    spec = CnnSpec(input_shape=(7, 7, 1), classes=10, channels=(2, 2))
    assert [block[1:] for block in spec.blocks()] == [((7, 7), (3, 3)), ((3, 3), (1, 1))]


@pytest.mark.flavour
@pytest.mark.parametrize(("family", "variant"), cases.VARIANTS)
@pytest.mark.parametrize("which", ["keras_backend", "torch_backend"])
def test_the_framework_builds_what_the_table_says(
    which: str, family: str, variant: str, flavour: str, request: pytest.FixtureRequest
) -> None:
    """Names, shapes, order-free trainability and the framework's own parameter count agree."""
    backend: Backend = request.getfixturevalue(which)
    spec = cases.spec_of(family, variant, flavour=flavour)
    model = backend.create(spec, "float32")
    table = {row.name: row for row in spec.model.parameters()}
    assert {name: value.shape for name, value in model.weights().items()} == {
        name: row.shape for name, row in table.items()
    }
    assert model.trainable() == {name for name, row in table.items() if row.trainable}
    assert model.counts() == {
        "total": sum(row.size for row in table.values()),
        "trainable": sum(row.size for row in table.values() if row.trainable),
    }
