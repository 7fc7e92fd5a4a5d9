"""The first divergence is attributed to a layer, the data, the loss or the optimizer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from parity.report.sentences import divergence
from parity.verdict.location import DATA, LOSS, OPTIMIZER
from parity_tests.support import records
from parity_tests.support.records import Pair
from parity_tests.verdict.blamed import STATISTIC, blamed, layers, spoil, where


def test_of_equal_records_nothing_is_to_blame(cnn: Pair) -> None:
    """Without a failed check there is no first divergence."""
    with cnn.compared() as comparison:
        assert comparison.first is None
        assert not comparison.in_a_layer


@pytest.mark.parametrize(
    ("name", "part", "step"),
    [
        ("parameters/conv_1/kernel", "conv_1", None),
        ("forward_eval/input", DATA, None),
        ("forward_eval/batch_norm_1", "batch_norm_1", None),
        ("forward_train/pool_1", "pool_1", None),
        ("loss/loss", LOSS, None),
        ("gradients/logits/output", LOSS, None),
        ("gradients/flatten/output", "logits", None),
        ("gradients/conv_1/output", "batch_norm_1", None),
        ("gradients/logits/kernel", "logits", None),
        ("gradients/conv_1/bias", "conv_1", None),
        ("step/input", DATA, 1),
        ("step/labels", DATA, 1),
        ("step/slots/m/conv_1/kernel", OPTIMIZER, 1),
        ("step/weights/conv_1/kernel", OPTIMIZER, 1),
        (f"step/weights/{STATISTIC}", "batch_norm_1", 1),
        ("steps/3/input", DATA, 3),
        ("steps/10/labels", DATA, 10),
        ("steps/4/weights/logits/bias", OPTIMIZER, 4),
        (f"steps/4/weights/{STATISTIC}", "batch_norm_1", 4),
        ("steps/weights/logits/bias", OPTIMIZER, 10),
        (f"steps/weights/{STATISTIC}", "batch_norm_1", 10),
        ("steps/losses", LOSS, 10),
        ("predictions/outputs", "", None),
        ("predictions/labels", "", None),
    ],
)
@pytest.mark.parametrize("side", ["keras", "torch"])
def test_every_kind_of_tensor_has_its_culprit(
    cnn: Pair, side: str, name: str, part: str, step: int | None
) -> None:
    """A layer, the data, the loss or the optimizer, by what the tensor is, on either side."""
    spoil({"keras": cnn.keras, "torch": cnn.torch}[side], name)
    with cnn.compared() as comparison:
        assert where(comparison) == (*name.split("/", 1), part, step)


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("forward_train/dropout_1/mask", None),
        ("step/dropout_1/mask", 1),
        ("steps/7/dropout_1/mask", 7),
    ],
)
def test_a_mask_is_its_layer_s(dropout: Pair, name: str, step: int | None) -> None:
    """Other units dropped: the dropout layer, at that step."""
    spoil(dropout.torch, name)
    with dropout.compared() as comparison:
        assert where(comparison) == (*name.split("/", 1), "dropout_1", step)


@pytest.mark.parametrize("lengths", ["step/lengths", "steps/5/lengths"])
def test_lengths_are_data(tmp_path: Path, lengths: str) -> None:
    """A sequence's length is fed to a model like the sequence itself."""
    pair = Pair(tmp_path, records.spec("rnn"))
    spoil(pair.torch, lengths)
    with pair.compared() as comparison:
        rung, rest = lengths.split("/", 1)
        assert where(comparison) == (rung, rest, DATA, 5 if rung == "steps" else 1)


ORDERS: dict[str, list[str]] = {
    "forward": [
        "forward_train/input",
        "forward_train/flatten",
        "forward_train/dense_1",
        "forward_train/dense_activation_1",
        "forward_train/dropout_1/mask",
        "forward_train/dropout_1",
        "forward_train/logits",
    ],
    "backward": [
        "gradients/logits/output",
        "gradients/logits/bias",
        "gradients/logits/kernel",
        "gradients/dropout_1/output",
        "gradients/dense_activation_1/output",
        "gradients/dense_1/output",
        "gradients/dense_1/bias",
        "gradients/dense_1/kernel",
        "gradients/flatten/output",
    ],
    "first step": [
        "step/input",
        "step/labels",
        "step/dropout_1/mask",
        "step/slots/m/dense_1/bias",
        "step/slots/v/dense_1/bias",
        "step/weights/dense_1/bias",
        "step/slots/m/logits/bias",
        "step/weights/logits/bias",
    ],
    "steps": [
        "steps/2/input",
        "steps/2/dropout_1/mask",
        "steps/2/weights/dense_1/bias",
        "steps/2/weights/logits/bias",
        "steps/9/labels",
        "steps/9/weights/dense_1/bias",
        "steps/10/input",
        "steps/losses",
        "steps/weights/dense_1/bias",
    ],
    "ladder": [
        "parameters/logits/bias",
        "forward_eval/logits",
        "forward_train/dense_1",
        "loss/loss",
        "gradients/dense_1/bias",
        "step/weights/dense_1/bias",
        "steps/weights/dense_1/bias",
        "predictions/outputs",
        "predictions/labels",
        "predictions/accuracy",
        "predictions/loss",
    ],
}
"""Tensors in the order in which they are computed, spoilt all at once."""


@pytest.mark.parametrize("order", ORDERS)
def test_checks_stand_in_the_order_of_computing(dropout: Pair, order: str) -> None:
    """What goes into a tensor comes before it: data, masks, outputs; slots, weights; steps."""
    spoil(dropout.torch, *reversed(ORDERS[order]))
    with dropout.compared() as comparison:
        found = [f"{c.rung}/{c.tensor}" for c in comparison.failed if c.dtype == "float64"]
    assert found == ORDERS[order]


@pytest.mark.parametrize("order", ORDERS)
def test_the_first_to_be_computed_is_named(dropout: Pair, order: str) -> None:
    """Whatever else differs behind it, and however much further."""
    for number, name in enumerate(ORDERS[order]):
        dropout.folder = dropout.folder / str(number)
        dropout.torch = {name: value.copy() for name, value in dropout.keras.items()}
        spoil(dropout.torch, *ORDERS[order][number:])
        with dropout.compared() as comparison:
            found = blamed(comparison)
            assert f"{found.rung}/{found.tensor}" == name


@pytest.mark.parametrize("place", ["step", "steps/3", "steps"])
def test_statistics_come_before_the_optimizer(cnn: Pair, place: str) -> None:
    """The forward pass moves a layer's statistics before the optimizer moves any weight."""
    spoil(cnn.torch, f"{place}/weights/conv_1/kernel", f"{place}/weights/{STATISTIC}")
    with cnn.compared() as comparison:
        assert blamed(comparison).location == "batch_norm_1"


def test_statistics_come_in_the_order_of_the_layers(tmp_path: Path) -> None:
    """Of two batch norms the one nearer the input is named."""
    pair = Pair(tmp_path, records.spec("cnn", channels=(3, 2)))
    for number in (2, 1):
        spoil(pair.torch, f"step/weights/batch_norm_{number}/moving_variance")
    with pair.compared() as comparison:
        assert blamed(comparison).location == "batch_norm_1"


@pytest.mark.parametrize("step", [1, 2, 7, 10])
@pytest.mark.parametrize("value", [1.0, np.nan, np.inf])
def test_the_losses_name_the_first_step_that_fails(cnn: Pair, step: int, value: float) -> None:
    """All losses are one tensor; the first beyond the limit counts, not the furthest."""
    losses = cnn.torch["float64/steps/losses"]
    losses[step - 1] += value
    losses[-1] += 100.0
    with cnn.compared() as comparison:
        found = blamed(comparison)
        assert (found.location, found.step) == (LOSS, step)
        assert found.index == (step - 1,)
        assert found.values
        assert repr(found.values[1]) == repr(float(losses[step - 1]))


def test_a_loss_within_the_limit_is_not_named(cnn: Pair) -> None:
    """A step that differs by less than is allowed is not where the two part."""
    losses = cnn.torch["float64/steps/losses"]
    losses[2] *= 1 + 1e-15
    losses[6] += 1.0
    with cnn.compared() as comparison:
        assert blamed(comparison).step == 7


@pytest.mark.parametrize("sides", [("torch",), ("keras",), ("keras", "torch")])
def test_what_is_missing_is_to_blame_like_what_differs(cnn: Pair, sides: tuple[str, ...]) -> None:
    """Labels of a step that a record lacks are data, whichever side lacks them."""
    for side, values in zip(("keras", "torch"), cnn.both(), strict=True):
        if side in sides:
            del values["float64/steps/3/labels"]
    with cnn.compared() as comparison:
        assert where(comparison) == ("steps", "3/labels", DATA, 3)


def test_losses_come_before_the_weights_of_their_step(cnn: Pair) -> None:
    """Step 4's loss is computed from the weights after step 3, and before those after step 4."""
    cnn.torch["float64/steps/losses"][3] += 1
    spoil(cnn.torch, "steps/4/weights/conv_1/kernel")
    with cnn.compared() as comparison:
        assert where(comparison) == ("steps", "losses", LOSS, 4)
    cnn.folder /= "again"
    spoil(cnn.torch, "steps/3/weights/conv_1/kernel")
    with cnn.compared() as comparison:
        assert where(comparison) == ("steps", "3/weights/conv_1/kernel", OPTIMIZER, 3)


def test_a_layer_is_named_in_both_frameworks(cnn: Pair) -> None:
    """As each framework calls it; what is no layer has no names."""
    spoil(cnn.torch, "forward_eval/pool_1")
    with cnn.compared() as comparison:
        assert layers(comparison) == ("pool_1 of keras", "pool_1 of torch")
    cnn.folder /= "again"
    spoil(cnn.torch, "forward_eval/input")
    with cnn.compared() as comparison:
        assert layers(comparison) == (None, None)


def test_a_layer_that_one_side_does_not_name_is_named_all_the_same(cnn: Pair) -> None:
    """A record need not know its layers' names."""
    cnn.set_header("torch", layers={})
    spoil(cnn.torch, "forward_eval/pool_1")
    with cnn.compared() as comparison:
        assert blamed(comparison).location == "pool_1"
        assert layers(comparison) == ("pool_1 of keras", None)


def test_a_late_loss_is_not_blamed_on_the_loss(tmp_path: Path) -> None:
    """Where the weights before it were not kept, what made it differ cannot be told."""
    pair = Pair(tmp_path, records.spec(), steps=30)
    pair.torch["float64/steps/losses"][14:] += 1e-3
    with pair.compared() as comparison:
        found = blamed(comparison)
        assert (found.location, found.step) == ("", 15)
        said = " ".join(divergence(comparison))
    assert "located between step 10, after which the weights agree, and step 15" in said
