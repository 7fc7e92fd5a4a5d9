"""Layers run by themselves show whether the layer of the first divergence is its source."""

from __future__ import annotations

import numpy as np
import pytest

from parity_tests.support.records import Pair
from parity_tests.verdict.blamed import spoil


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("float64/forward_eval/pool_1", True),
        ("float64/forward_train/input", True),
        ("float64/gradients/pool_1/output", True),
        ("float64/gradients/conv_1/kernel", True),
        ("float64/parameters/conv_1/kernel", False),
        ("float64/loss/loss", False),
        ("float64/step/weights/conv_1/kernel", False),
        ("float64/predictions/outputs", False),
        ("float32/forward_eval/pool_1", False),
    ],
)
def test_a_replay_is_asked_for_where_it_tells_more(cnn: Pair, name: str, asked: bool) -> None:
    """Where float64 parts in a forward pass or in gradients, and nowhere else."""
    dtype, rest = name.split("/", 1)
    spoil(cnn.torch, rest, dtype=dtype)
    with cnn.compared() as comparison:
        assert comparison.in_a_layer is asked


def test_without_a_replay_nothing_is_said_of_the_layer_itself(cnn: Pair) -> None:
    """As they ran is all that is known."""
    spoil(cnn.torch, "forward_eval/pool_1")
    with cnn.compared() as comparison:
        assert (comparison.first_replayed, comparison.others_replayed) == (None, ())


@pytest.mark.parametrize("name", ["forward_eval/pool_1", "gradients/conv_1/output"])
def test_a_replay_that_agrees_clears_the_layer(cnn: Pair, name: str) -> None:
    """Fed the reference's own input the layer agrees: its check is there, and passed."""
    spoil(cnn.torch, name)
    with cnn.compared(replayed=True) as comparison:
        assert comparison.first_replayed
        assert comparison.first_replayed.ok
        assert comparison.others_replayed == ()


@pytest.mark.parametrize("name", ["forward_eval/pool_1", "gradients/conv_1/output"])
def test_a_replay_that_fails_convicts_the_layer(cnn: Pair, name: str) -> None:
    """Fed the reference's own input it differs still: the difference is its own."""
    spoil(cnn.torch, name)
    spoil(cnn.replay, name)
    with cnn.compared(replayed=True) as comparison:
        found = comparison.first_replayed
        assert found
        assert not found.ok
        assert f"{found.rung}/{found.tensor}" == name
        assert comparison.others_replayed == ()


def test_a_failed_check_of_the_layer_goes_before_one_that_passed(cnn: Pair) -> None:
    """Of a layer's several gradients by itself the one that fails is shown."""
    spoil(cnn.torch, "gradients/conv_1/output")
    spoil(cnn.replay, "gradients/batch_norm_1/gamma")
    with cnn.compared(replayed=True) as comparison:
        own = comparison.first_replayed
        assert own
        assert (own.tensor, own.ok) == ("batch_norm_1/gamma", False)


def test_other_layers_that_fail_by_themselves_are_named_once(cnn: Pair) -> None:
    """Wherever else in the ladder a layer is off by itself."""
    spoil(cnn.torch, "forward_eval/conv_1")
    spoil(cnn.replay, "forward_eval/conv_1")
    spoil(cnn.replay, "forward_eval/pool_1", "forward_train/pool_1", "gradients/logits/kernel")
    with cnn.compared(replayed=True) as comparison:
        assert comparison.others_replayed == ("pool_1", "logits")


def test_another_rung_of_the_replay_says_nothing_of_this_one(cnn: Pair) -> None:
    """A layer right by itself in evaluation may be wrong in training."""
    spoil(cnn.torch, "forward_train/batch_norm_1")
    spoil(cnn.replay, "forward_eval/batch_norm_1")
    with cnn.compared(replayed=True) as comparison:
        own = comparison.first_replayed
        assert own
        assert (own.rung, own.ok) == ("forward_train", True)


@pytest.mark.parametrize("change", ["missing", "extra", "fewer", "nan"])
def test_a_replay_that_is_amiss_agrees_with_nothing(cnn: Pair, change: str) -> None:
    """A tensor of the replay that cannot be compared fails like one that differs."""
    name = "float64/forward_eval/pool_1"
    spoil(cnn.torch, "forward_eval/pool_1")
    if change == "missing":
        del cnn.replay[name]
    elif change == "extra":
        cnn.replay["float64/loss/loss"] = cnn.keras["float64/loss/loss"].copy()
    elif change == "fewer":
        cnn.replay[name] = cnn.replay[name][1:]
    else:
        cnn.replay[name][0] = np.nan
    with cnn.compared(replayed=True) as comparison:
        failed = [f"{check.dtype}/{check.rung}/{check.tensor}" for check in comparison.replayed
                  if not check.ok]  # fmt: skip
        assert failed == [name if change != "extra" else "float64/loss/loss"]
        if change != "extra":
            assert comparison.first_replayed == next(c for c in comparison.replayed if not c.ok)


def test_a_replay_decides_no_verdict(cnn: Pair) -> None:
    """Layers by themselves explain a difference; they make none."""
    spoil(cnn.replay, "forward_eval/pool_1")
    with cnn.compared(replayed=True) as comparison:
        assert comparison.same
        assert comparison.first is None
        assert [check.tensor for check in comparison.replayed if not check.ok] == ["pool_1"]
