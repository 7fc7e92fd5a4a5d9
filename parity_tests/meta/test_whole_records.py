"""The comparison of whole trainings can fail: a change in anything that one leaves is found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from parity.ladder import contents
from parity.numerics import tolerance
from parity_tests.support import records
from parity_tests.support.records import Pair

KEPT = (*contents.TRAINED, "weights/dense_1/kernel", "weights/logits/bias")
COUNTS = ("epochs", "labels")


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path, records.spec("dropout"), epochs=2)


def move(pair: Pair, rest: str, share: float) -> None:
    """Let torch stand apart by a share of the largest entry; a count by one."""
    value = pair.torch[f"float64/training/{rest}"]
    moved = value.astype("f8")
    moved.reshape(-1)[-1] += 1 if rest in COUNTS else share * np.abs(moved).max()
    pair.torch[f"float64/training/{rest}"] = moved.astype(value.dtype)


@pytest.mark.parametrize("rest", KEPT)
def test_anything_that_differs_is_named(pair: Pair, rest: str) -> None:
    """Twice the limit is DIFFERENT, at that tensor; half of it is not."""
    limit = tolerance.FLOAT64["training"].limit
    move(pair, rest, 2 * limit)
    with pair.compared() as comparison:
        assert comparison.first
        assert (comparison.first.rung, comparison.first.tensor) == ("training", rest)
        assert comparison.first
        assert comparison.first.location == ""
    if rest not in COUNTS:
        move(pair, rest, -1.5 * limit)
        pair.folder = pair.folder / "again"
        with pair.compared() as comparison:
            assert comparison.same


@pytest.mark.parametrize("rest", [rest for rest in KEPT if rest not in COUNTS])
@pytest.mark.parametrize("side", ["keras", "torch"])
def test_nan_and_infinity_are_never_the_same(pair: Pair, side: str, rest: str) -> None:
    """Not even where both sides have it."""
    for values in pair.both() if side == "keras" else (pair.torch,):
        values[f"float64/training/{rest}"].reshape(-1)[0] = np.nan
    with pair.compared() as comparison:
        assert comparison.first
        assert comparison.first.tensor == rest
        assert comparison.first.observed == np.inf


@pytest.mark.parametrize("rest", KEPT)
def test_what_is_missing_or_shorter_is_found(pair: Pair, rest: str) -> None:
    """A tensor that one side lacks, or that ends an epoch earlier, is a difference."""
    whole = pair.torch.pop(f"float64/training/{rest}")
    with pair.compared() as comparison:
        assert comparison.first
        assert "torch lacks it" in " ".join(comparison.first.notes)
    if whole.ndim == 1:
        pair.torch[f"float64/training/{rest}"] = whole[:-1]
        pair.folder = pair.folder / "again"
        with pair.compared() as comparison:
            assert comparison.first
            assert comparison.first.tensor == rest


def test_one_whole_training_alone_is_refused(pair: Pair) -> None:
    """Records of which one alone has a whole training are of different runs."""
    pair.set_header("torch", epochs=0)
    with (
        pytest.raises(Exception, match="epochs \\(2 against 0\\)"),
        pair.compared(),
    ):
        pass
