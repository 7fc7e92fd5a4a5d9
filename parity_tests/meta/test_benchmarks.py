"""The benchmarks: every contestant really trains, and the page tells what was measured."""

from __future__ import annotations

import dataclasses
import importlib.util
import math

import pytest

from benchmarks import results, targets
from benchmarks.figures import figure
from benchmarks.throughput.contestants import CONTESTANTS
from benchmarks.throughput.turns import Turns
from benchmarks.throughput.workloads import WORKLOADS

SMALL = [
    dataclasses.replace(
        next(one for one in WORKLOADS if one.name == name), batch=4, steps=2, **smaller
    )
    for name, smaller in (
        ("dropout", {"hidden": (4,)}),
        ("cnn", {"channels": (2,), "hidden": (4,)}),
        ("rnn", {"units": 3}),
    )
]

ABOUT = {
    "quick": True,
    "cores": 2,
    "machine": "x",
    "python": "3",
    "packages": {"torch": "2"},
}


@pytest.mark.full
@pytest.mark.parametrize("name", CONTESTANTS)
def test_every_contestant_takes_its_turn(name: str) -> None:
    """Each prepares every kind of model in a process of its own, and makes its rounds."""
    if "Lightning" in name and not importlib.util.find_spec("pytorch_lightning"):
        pytest.skip("PyTorch Lightning is not installed")
    with Turns([name]) as turns:
        for workload in SMALL:
            found = turns.measure(workload, 3)
            assert 0 < found[name]["least"] <= found[name]["median"] <= found[name]["most"]


def test_a_contestant_that_fails_is_told_of() -> None:
    """What went wrong is passed on, with its name."""
    broken = dataclasses.replace(SMALL[2], cell="none such")
    with Turns(["PyTorch: DataLoader loop"]) as turns:
        with pytest.raises(RuntimeError, match="DataLoader loop: KeyError: 'none such'"):
            turns.measure(broken, 3)
        assert turns.measure(SMALL[2], 3), "its process goes on"


def test_the_page_tells_ratios_by_rounds() -> None:
    """Ours against the usual loop, the best of those by hand, and the floor."""
    names = {"PyTorch: ours": 2.0, "PyTorch: DataLoader loop": 3.0, "floor": 1.0}
    names |= {"PyTorch: best loop by hand": 1.8, "PyTorch: the same, compiled": 1.9}
    measured = {name: figure([value, value, 9.0]) for name, value in names.items()}
    page = results.page({"about": ABOUT, "throughput": {"MLP": measured}})
    assert "| 1.50 (1.00 to 1.50) | 0.90 (0.90 to 1.00) | 2.00 (1.00 to 2.00) |" in page
    assert "2000.00 (2000.00 to 9000.00)" in page


def test_the_page_tells_what_was_reached() -> None:
    """The worst of those that a target holds for; what was not measured is left out."""
    names = ("Keras 2: ours", "Keras 2: fit", "Keras 3: ours", "Keras 3: fit")
    measured = dict(zip(names, map(figure, ([1.0], [4.0], [2.0], [5.0])), strict=True))
    found = {"about": ABOUT, "throughput": {targets.MLP: measured}}
    against_fit = targets.TARGETS[0]
    assert against_fit.row(found) == [
        against_fit.what,
        "≥ 3",
        "2.50 (2.50 to 2.50)",
        "Keras 3",
        "no",
    ]
    assert dataclasses.replace(against_fit, wanted=2.5).row(found)[-1] == "yes"
    assert all(one.row({"about": ABOUT}) == [] for one in targets.TARGETS)


def test_the_page_tells_what_a_pair_takes() -> None:
    """Seconds and gigabytes, beside the verdict."""
    one = {"seconds": figure([3.0]), "memory": figure([2e9]), "verdict": "same"}
    page = results.page({"about": ABOUT, "pair": {"MobileNetV2": one}})
    assert "| MobileNetV2 | same | 3 (3 to 3) | 2.0 (2.0 to 2.0) |" in page
    assert "| check of MobileNetV2 | ≤ 120 s | 3.00 (3.00 to 3.00) s | MobileNetV2 | yes |" in page


def test_a_figure_is_a_median_with_its_range() -> None:
    """Not a mean, which one bad moment would move."""
    rounds = [5.0, 1.0, math.inf]
    assert figure(rounds) == {"median": 5.0, "least": 1.0, "most": math.inf, "rounds": rounds}
