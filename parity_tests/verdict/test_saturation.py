"""Long trainings: past the step where rounding has spread the weights over their whole scale."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from parity import rungs
from parity.adapters.backend import Backend
from parity.errors import ParityError
from parity.ladder import climb, contents, record
from parity.ladder.header import create_header
from parity.numerics import tolerance
from parity.report import of_records, terminal
from parity.system.memory import PeakMemory
from parity.verdict import checks, compare
from parity.verdict.compare import Comparison
from parity_tests.support import cases, records
from parity_tests.support.records import Pair
from parity_tests.support.report_schema import errors
from parity_tests.support.selection import first_of_each

STEPS = 30
KEPT = [1, *rungs.snapshots(STEPS), STEPS]
SEEDS = 5
KERNEL = "logits/kernel"
STATISTIC = "batch_norm_1/moving_mean"
DTYPES = ("float64", "float32")


SPEC = records.spec("cnn", input_shape=(6, 6, 1))
"""A model with statistics, and with most of its entries in the one kernel."""


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """Thirty steps, five seeds."""
    return Pair(tmp_path, SPEC, steps=STEPS, seeds=SEEDS)


def weight(step: int, parameter: str = KERNEL) -> str:
    """Name of a weight after a step, without the dtype."""
    place = {1: "step", STEPS: "steps"}.get(step, f"steps/{step}")
    return f"{place}/weights/{parameter}"


def saturate(
    pair: Pair,
    dtype: str,
    since: int,
    share: float = 1.01 * tolerance.SATURATED,
    parameter: str = KERNEL,
    sides: tuple[str, ...] = ("keras", "torch"),
) -> None:
    """Let the ensembles spread by a share of a weight's largest entry, from a kept step on."""
    for side in sides:
        names = [f"{dtype}/{weight(step, parameter)}" for step in KEPT if step >= since]
        values = {"keras": pair.keras, "torch": pair.torch}[side]
        moved = {name: share * float(np.abs(values[name]).max()) for name in names}
        pair.set_header(side, rounding={**pair.headers[side].rounding, **moved})


def spoil(pair: Pair, dtype: str, name: str, value: float = 10.0) -> None:
    pair.torch[f"{dtype}/{name}"].reshape(-1)[-1] += value


def failed(comparison: Comparison) -> list[str]:
    return [f"{c.dtype}/{c.rung}/{c.tensor}" for c in comparison.failed]


@pytest.mark.parametrize(
    ("since", "dtype"),
    first_of_each(
        [(since, dtype) for since in (5, 1, 2, 20, 30) for dtype in DTYPES],
        lambda since, dtype: since if dtype == "float64" else dtype,
    ),
)
def test_weights_are_judged_up_to_saturation(pair: Pair, dtype: str, since: int) -> None:
    """Each kept step before it is; neither the step itself nor a later one is."""
    saturate(pair, dtype, since, share=20 * tolerance.SATURATED)  # of what is spoilt, too
    clean = pair.torch
    for number, step in enumerate(KEPT):
        pair.folder = pair.folder / str(number)
        pair.torch = {name: value.copy() for name, value in clean.items()}
        spoil(pair, dtype, weight(step))
        with pair.compared() as comparison:
            assert comparison.saturated == {dtype: since}
            assert comparison.same == (step >= since), step
            assert failed(comparison) == ([f"{dtype}/{weight(step)}"] if step < since else [])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("parameter", ["logits/bias", "conv_1/kernel", "batch_norm_1/gamma"])
def test_less_than_half_of_the_entries_does_not_saturate(
    pair: Pair, dtype: str, parameter: str
) -> None:
    """One small tensor that happens to lie near zero leaves the others judged."""
    saturate(pair, dtype, 1, parameter=parameter)
    spoil(pair, dtype, weight(STEPS))
    with pair.compared() as comparison:
        assert comparison.saturated == {}
        assert failed(comparison) == [f"{dtype}/{weight(STEPS)}"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "name",
    [
        "steps/losses",
        weight(STEPS, STATISTIC),
        *(f"predictions/{name}" for name in contents.PREDICTIONS),
    ],
)
def test_what_follows_from_the_weights_is_not_judged(pair: Pair, dtype: str, name: str) -> None:
    """Losses, statistics and predictions hang on them; without saturation each is judged."""
    spoil(pair, dtype, name)
    of_near_ties = dtype == "float32" and name.endswith(("labels", "accuracy"))
    with pair.compared() as comparison:
        assert comparison.saturated == {}
        assert comparison.same == of_near_ties
    pair.folder /= "saturated"
    saturate(pair, dtype, STEPS)
    with pair.compared() as comparison:
        assert comparison.same


@pytest.mark.parametrize(
    "name",
    ["step/input", "steps/20/input", "steps/20/labels", "steps/30/spatial_dropout_1/mask"],
)
def test_what_training_is_fed_is_judged_to_the_end(pair: Pair, name: str) -> None:
    """Rounding has no part in it."""
    saturate(pair, "float64", 1)
    value = pair.torch[f"float64/{name}"]
    value.reshape(-1)[-1] = 1 - value.reshape(-1)[-1]
    with pair.compared() as comparison:
        assert failed(comparison) == [f"float64/{name}"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("side", ["keras", "torch"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize(
    "name", ["steps/losses", weight(20), weight(STEPS, STATISTIC), "predictions/outputs",
             "predictions/accuracy"],
)  # fmt: skip
def test_no_rounding_explains_what_is_not_finite(
    pair: Pair, name: str, value: float, side: str, dtype: str
) -> None:
    """A NaN or an infinity past saturation is a difference like any other."""
    saturate(pair, dtype, 5)
    values = {"keras": pair.keras, "torch": pair.torch}[side]
    values[f"{dtype}/{name}"].reshape(-1)[0] = value
    with pair.compared() as comparison:
        assert f"{dtype}/{name}" in failed(comparison)
        assert "not finite" in next(
            " ".join(c.notes) for c in comparison.failed if c.dtype == dtype
        )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("spread", [np.nan, np.inf, -1.0])
@pytest.mark.parametrize("side", ["keras", "torch"])
def test_an_ensemble_that_is_not_finite_saturates_nothing(
    pair: Pair, side: str, spread: float, dtype: str
) -> None:
    """What rounding explains is not known there, which must excuse nothing."""
    pair.set_header(side, rounding={f"{dtype}/{weight(20)}": spread})
    spoil(pair, dtype, weight(20))
    with pair.compared() as comparison:
        assert comparison.saturated == {}
        assert f"{dtype}/{weight(20)}" in failed(comparison)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("side", ["keras", "torch"])
@pytest.mark.parametrize("value", [0.0, np.nan])
def test_weights_that_one_side_lost_are_not_saturated(
    pair: Pair, side: str, value: float, dtype: str
) -> None:
    """Zeros or NaN in place of a kernel have no scale for an ensemble to spread over."""
    moved = {f"{dtype}/{weight(step)}": 1e-6 for step in KEPT}
    for name in ("keras", "torch"):
        pair.set_header(name, rounding=moved)
    values = {"keras": pair.keras, "torch": pair.torch}[side]
    for step in KEPT:
        values[f"{dtype}/{weight(step)}"][:] = value
    with pair.compared() as comparison:
        assert comparison.saturated == {}
        assert f"{dtype}/{weight(1)}" in failed(comparison)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_spread_below_the_share_saturates_nothing(pair: Pair, dtype: str) -> None:
    """A limit that is wide, but not as wide as the weights, judges still."""
    saturate(pair, dtype, 2, share=0.99 * tolerance.SATURATED)
    spoil(pair, dtype, weight(20))
    with pair.compared() as comparison:
        assert comparison.saturated == {}
        assert failed(comparison) == [f"{dtype}/{weight(20)}"]


@pytest.mark.parametrize("side", ["keras", "torch"])
def test_either_ensemble_is_enough(pair: Pair, side: str) -> None:
    """Both limits come from the larger spread of the two."""
    saturate(pair, "float32", 20, sides=(side,))
    with pair.compared() as comparison:
        assert comparison.saturated == {"float32": 20}


def test_statistics_saturate_nothing(pair: Pair) -> None:
    """They are no weights: a running mean near zero is spread over its scale at once."""
    saturate(pair, "float32", 1, parameter=STATISTIC)
    with pair.compared() as comparison:
        assert comparison.saturated == {}


def test_one_dtype_s_saturation_is_not_the_other_s(pair: Pair) -> None:
    """Where float32 says nothing any more, float64 decides on."""
    saturate(pair, "float32", 2)
    spoil(pair, "float64", weight(STEPS))
    with pair.compared() as comparison:
        assert failed(comparison) == [f"float64/{weight(STEPS)}"]


def over_seeds(pair: Pair, name: str, differences: list[float]) -> None:
    """Let torch's results stand so far from Keras's, seed by seed."""
    key = f"float32/predictions/over_seeds/{name}"
    for values in pair.both():
        values[key][:] = 0.5
    pair.torch[key] += np.array(differences)


OUTCOMES = {
    "shown": [1e-6, -1e-6, 1e-6, 0.0, 0.0],
    "refuted": [0.4, 0.41, 0.4, 0.39, 0.4],
    "undecided": [0.4, -0.4, 0.4, -0.4, 0.0],
}


@pytest.mark.parametrize("name", ["loss", "accuracy"])
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_seeds_decide_where_weights_cannot(
    pair: Pair, name: str, outcome: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Shown: SAME; refuted: DIFFERENT; undecided: as float64 says, and more seeds are asked for."""
    saturate(pair, "float32", 20)
    over_seeds(pair, name, OUTCOMES[outcome])
    with pair.compared() as comparison:
        assert [test.name for test in comparison.equivalences] == [
            "loss",
            "accuracy",
            "predictions",
        ]
        test = next(test for test in comparison.equivalences if test.name == name)
        assert (test.shown, test.refuted) == (outcome == "shown", outcome == "refuted")
        wrong = [f"float32/predictions/{name} over 5 seeds"] if outcome == "refuted" else []
        assert failed(comparison) == wrong
        report = of_records.report(comparison)
    terminal.show([report])
    assert errors(report.as_data()) == []
    found = report.as_data()["records"]
    text = " ".join(capsys.readouterr().out.split())
    said = {"shown": "equivalent", "refuted": "different", "undecided": "undecided"}[outcome]
    assert f"{name} over 5 seeds: {said}: mean difference" in text
    assert ("more seeds would decide" in text) == (outcome == "undecided")
    assert "float32: after step 20 rounding alone has spread the weights" in text
    assert "--seeds 5 would" not in text
    assert found["saturated"] == {"float32": 20}
    shown = {entry["name"]: entry["shown"] for entry in found["equivalences"]}
    assert shown == {"loss": True, "accuracy": True, "predictions": True} | {name: test.shown}


def test_labels_of_other_classes_are_refuted(pair: Pair) -> None:
    """Accuracy and loss may be equal while the classes that are predicted are not."""
    saturate(pair, "float32", 20)
    labels = "float32/predictions/over_seeds/labels"
    pair.keras[labels][:] = [0, 0, 1, 1, 2, 2]
    pair.torch[labels][:] = [0, 0, 0, 0, 2, 2]
    with pair.compared() as comparison:
        assert failed(comparison) == ["float32/predictions/predictions over 5 seeds"]


@pytest.mark.parametrize(("outcome", "same"), [("shown", True), ("undecided", False)])
def test_without_float64_undecided_is_not_the_same(
    tmp_path: Path, outcome: str, same: bool
) -> None:
    """Nothing else stands for the verdict, so equivalence must be shown."""
    pair = Pair(tmp_path, SPEC, ("float32",), steps=STEPS, seeds=SEEDS)
    saturate(pair, "float32", 20)
    over_seeds(pair, "loss", OUTCOMES[outcome])
    with pair.compared() as comparison:
        assert comparison.same is same


@pytest.mark.parametrize("name", ["loss", "accuracy"])
def test_before_saturation_seeds_judge_nothing(pair: Pair, name: str) -> None:
    """Weights are compared themselves then; but what is not finite is found all the same."""
    over_seeds(pair, name, OUTCOMES["refuted"])
    with pair.compared() as comparison:
        assert comparison.same
        assert comparison.equivalences == ()
    pair.folder /= "nan"
    pair.torch[f"float32/predictions/over_seeds/{name}"][1] = np.nan
    with pair.compared() as comparison:
        assert failed(comparison) == [f"float32/predictions/over_seeds/{name}"]


@pytest.mark.parametrize("name", rungs.OVER_SEEDS)
@pytest.mark.parametrize("change", ["missing", "both lack it", "fewer", "both fewer", "empty"])
def test_seeds_that_are_amiss_are_different(pair: Pair, name: str, change: str) -> None:
    """A tensor over seeds that is not as the spec calls for is a failed check, not an error."""
    saturate(pair, "float32", 20)
    key = f"float32/predictions/over_seeds/{name}"
    for values in (
        pair.both() if change in ("both lack it", "both fewer", "empty") else [pair.torch]
    ):
        if change in ("missing", "both lack it"):
            del values[key]
        elif change == "empty":
            values[key] = values[key][:, :0] if values[key].ndim == 2 else values[key][:0]
        else:
            values[key] = values[key][1:]
    with pair.compared() as comparison:
        assert failed(comparison) == [key]
        assert comparison.equivalences == ()


def test_seeds_of_one_side_alone_are_refused(pair: Pair) -> None:
    """Records of different numbers of seeds are not of the same run."""
    pair.set_header("torch", seeds=1)
    a, b = pair.write()
    with (
        record.read(a) as x,
        record.read(b) as y,
        pytest.raises(ParityError, match=r"seeds \(5 against 1\)"),
    ):
        compare.compare(x, y)


def test_without_seeds_the_report_says_what_would_help(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Past saturation float32 says nothing of the result unless it is trained from more seeds."""
    pair = Pair(tmp_path, SPEC, steps=STEPS)
    saturate(pair, "float32", 20)
    with pair.compared() as comparison:
        terminal.show([of_records.report(comparison)])
    assert "--seeds 5 would compare loss" in " ".join(capsys.readouterr().out.split())


@pytest.mark.flavour
@pytest.mark.parametrize("which", ["keras_backend", "torch_backend"])
def test_a_long_climb_keeps_what_it_must(
    which: str, flavour: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Thirty steps from two seeds: every tensor called for, both ensembles, no saturation."""
    backend: Backend = request.getfixturevalue(which)
    spec = cases.spec_of("softmax", "regression-logits", flavour=flavour)
    made = climb.climb(backend, spec, *cases.splits_of(spec), DTYPES, STEPS, seeds=2)
    header = create_header(
        "ladder", backend, spec, steps=STEPS, seeds=2, dtypes=DTYPES, device="cpu", ladder=made,
        peak=PeakMemory(),
    )  # fmt: skip
    record.write(tmp_path / "made", header, made.tensors)
    with record.read(tmp_path / "made") as found:
        assert not list(checks.forms(found, found))
        assert (found.header.steps, found.header.seeds) == (STEPS, 2)
        for dtype in DTYPES:
            for step in KEPT[1:]:
                moved = found.header.rounding[f"{dtype}/{weight(step)}"]
                assert 0 < moved < (1e-12 if dtype == "float64" else 1e-3)
        assert compare.compare(found, found).saturated == {}
        seeds = found.tensor("float32/predictions/over_seeds/accuracy")
        assert seeds[0] == found.tensor("float32/predictions/accuracy")
        losses = found.tensor("float32/steps/losses").astype(np.float64)
        late = found.tensor("float32/predictions/over_seeds/loss")
        assert late[0] == pytest.approx(losses[STEPS // 2 :].mean(), rel=1e-12)
        assert late[1] != late[0]


def test_a_short_climb_needs_no_float64_ensemble(torch_backend: Backend) -> None:
    """Up to ten steps the table decides in float64."""
    spec = cases.spec_of("softmax", "regression-logits")
    made = climb.climb(torch_backend, spec, *cases.splits_of(spec), ("float64",), tolerance.STEPS)
    assert made.rounding == {}
