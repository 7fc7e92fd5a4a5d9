"""The equivalence test over seeds: right numbers, and neither shown nor refuted by mistake."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from parity.errors import ParityError
from parity.numerics.equivalence import MARGINS, Equivalence, SeedResults, over_seeds, tost

NAN, INF = float("nan"), float("inf")


def of(differences, margin: float) -> Equivalence:
    """Test differences from a reference of zeros."""
    return tost("loss", [0.0] * len(differences), differences, margin)


def verdict(found: Equivalence) -> str:
    """Say what a test shows, in a word."""
    assert not (found.shown and found.refuted)
    return "shown" if found.shown else "refuted" if found.refuted else "undecided"


def results(seeds: int = 5, examples: int = 1000, classes: int = 4, rng: int = 0) -> SeedResults:
    """Make one side's results: every class on about as many examples, loss near 1."""
    draw = np.random.default_rng(rng)
    return SeedResults(
        losses=tuple(1.0 + draw.normal(0, 1e-4, seeds)),
        accuracies=tuple(0.9 + draw.normal(0, 1e-4, seeds)),
        labels=np.stack([draw.permutation(np.arange(examples) % classes) for _ in range(seeds)]),
    )


def cdf_4(t: float) -> float:
    """Student's distribution with 4 degrees of freedom, in closed form."""
    u = t * t / (1 + t * t / 4)
    return 0.5 + 0.375 * t / math.sqrt(1 + t * t / 4) * (1 - u / 12)


@pytest.mark.parametrize("margin", [10.0, 5.0, 4.4, 1.0, 0.0])
def test_worked_by_hand(margin: float) -> None:
    """Differences 1 to 5: mean 3, standard error √(2.5/5), 4 degrees of freedom, t 2.1318."""
    found = tost("loss", [10.0, 10.0, 10.0, 10.0, 10.0], [11.0, 12.0, 13.0, 14.0, 15.0], margin)
    error = math.sqrt(0.5)
    assert (found.name, found.seeds, found.mean, found.margin) == ("loss", 5, 3.0, margin)
    assert found.interval == pytest.approx((3 - 2.131847 * error, 3 + 2.131847 * error), abs=1e-6)
    assert found.p == pytest.approx(cdf_4((3 - margin) / error), rel=1e-9)
    assert verdict(found) == {10.0: "shown", 5.0: "shown", 4.4: "undecided"}.get(margin, "refuted")


def test_two_seeds() -> None:
    """Two seeds suffice; with one degree of freedom Student's distribution is Cauchy's."""
    found = of([0.1, 0.3], 2.0)
    assert found.p == pytest.approx(0.5 - math.atan((2.0 - 0.2) / 0.1) / math.pi, rel=1e-9)
    assert verdict(found) == "shown"


@given(
    differences=st.lists(st.floats(-1, 1, allow_subnormal=False), min_size=2, max_size=12),
    margin=st.floats(1e-3, 2),
)
def test_shown_means_both_one_sided_tests(differences: list[float], margin: float) -> None:
    """The interval lies inside ±margin exactly where both p are under 0.05; outside, one over 0.95.

    The p-values are SciPy's, computed from the definition of t rather than by the code under test.
    """
    from scipy.stats import t

    d = np.array(differences)
    error = d.std(ddof=1) / math.sqrt(len(d))
    assume(error > 1e-9)
    above = t.sf((d.mean() + margin) / error, len(d) - 1)
    below = t.cdf((d.mean() - margin) / error, len(d) - 1)
    p = max(above, below)
    assume(min(abs(p - 0.05), abs(p - 0.95)) > 1e-6)
    found = of(differences, margin)
    assert found.p == pytest.approx(p, rel=1e-6, abs=1e-12)
    assert found.shown == (above < 0.05 and below < 0.05) == (found.p < 0.05)
    assert found.refuted == (p > 0.95)


@given(
    differences=st.lists(st.floats(-1, 1, allow_subnormal=False), min_size=2, max_size=12),
    margin=st.floats(1e-3, 2),
)
def test_direction_does_not_matter(differences: list[float], margin: float) -> None:
    """With the two sides exchanged, the interval is mirrored and the verdict the same."""
    found, mirrored = of(differences, margin), of([-value for value in differences], margin)
    assert verdict(found) == verdict(mirrored)
    assert found.interval == pytest.approx((-mirrored.interval[1], -mirrored.interval[0]), abs=1e-9)
    assert found.p == pytest.approx(mirrored.p, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("sign", [1, -1])
def test_shift_beyond_the_margin_is_refuted(sign: int) -> None:
    """A mean difference of three margins with little spread is refuted, whatever its sign."""
    differences = sign * (0.03 + np.random.default_rng(1).normal(0, 0.005, 8))
    assert verdict(of(differences.tolist(), 0.01)) == "refuted"


def test_few_seeds_with_large_spread_decide_nothing() -> None:
    """A mean of nearly zero shows nothing where the spread is wide: no proof is no equivalence."""
    assert verdict(of([-0.5, 0.5, 0.01], 0.1)) == "undecided"


def test_more_seeds_decide() -> None:
    """The same spread around zero is undecided over 3 seeds and shown over 60."""
    spread = np.random.default_rng(2).normal(0, 0.02, 60)
    assert verdict(of(spread[:3].tolist(), 0.01)) == "undecided"
    assert verdict(of(spread.tolist(), 0.01)) == "shown"


def test_wrongly_shown_in_one_of_twenty() -> None:
    """Of pairs whose true difference stands just at the margin, 5 % are shown."""
    rng = np.random.default_rng(3)
    shown = sum(of(rng.normal(1.0, 0.1, 5).tolist(), 1.0).shown for _ in range(1000))
    assert 0.03 < shown / 1000 < 0.07


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e160, 1e300])
def test_extreme_values(scale: float) -> None:
    """Neither huge nor tiny values overflow, vanish or warn on the way."""
    usual, found = of([1.0, 2.0, 4.0], 9.0), of([scale, 2 * scale, 4 * scale], 9 * scale)
    assert found.p == pytest.approx(usual.p, rel=1e-9)
    assert found.interval == pytest.approx([scale * end for end in usual.interval], rel=1e-9, abs=0)
    assert verdict(of([0.0, scale], 0.0)) == "undecided"


@pytest.mark.parametrize(
    ("reference", "other", "margin", "expected", "p"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.1, "shown", 0.0),
        ([1.0, 2.0], [1.0, 2.0], 0.0, "shown", 0.0),
        ([1.0, 2.0], [1.5, 2.5], 0.1, "refuted", 1.0),
        ([1.0, 2.0], [0.5, 1.5], 0.1, "refuted", 1.0),
        ([0.1, 0.2, 0.3], [0.2, 0.3, 0.4], 0.2, "shown", 0.0),
        ([0.0, 0.0], [0.0, 0.0], 0.0, "shown", 0.0),
    ],
    ids=["none", "none_allowed", "above", "below", "equal_but_for_rounding", "zeros"],
)
def test_equal_differences(reference, other, margin: float, expected: str, p: float) -> None:
    """Without spread the interval is a point, and p is 0 or 1."""
    found = tost("accuracy", reference, other, margin)
    assert (verdict(found), found.p) == (expected, p)
    assert found.interval == (found.mean, found.mean)


@pytest.mark.parametrize(
    ("reference", "other"),
    [
        ([1.0, 1.0, NAN], [1.0, 1.0, 1.0]),
        ([1.0, 1.0, 1.0], [1.0, NAN, 1.0]),
        ([NAN, NAN], [NAN, NAN]),
        ([INF, 1.0], [INF, 1.0]),
        ([INF, 1.0], [-INF, 1.0]),
        ([1e308, 1.0], [-1e308, 1.0]),
    ],
)
@pytest.mark.parametrize("margin", [1.0, NAN, INF])
def test_what_is_not_finite_is_refuted(reference, other, margin: float) -> None:
    """A NaN or an infinity is never equivalent, not even where both sides have it."""
    found = tost("loss", reference, other, margin)
    assert (verdict(found), found.p) == ("refuted", 1.0)


@pytest.mark.parametrize("margin", [NAN, INF])
def test_margin_that_is_not_finite_allows_nothing(margin: float) -> None:
    """An infinite margin does not let everything pass."""
    assert not of([0.0, 0.1], margin).shown


@pytest.mark.parametrize(
    ("reference", "other", "margin", "line"),
    [
        ([], [], 1.0, "loss: received 0 seeds, accepted: at least 2"),
        ([1.0], [1.0], 1.0, "loss: received 1 seeds, accepted: at least 2"),
        ([1.0, 2.0], [1.0], 1.0, "loss: received 2 seeds against 1, accepted: as many"),
        ([1.0, 2.0], [1.0, 2.0], -1.0, "loss: margin: received -1.0, accepted: 0 or more"),
    ],
)
def test_bad_input(reference, other, margin: float, line: str) -> None:
    """What cannot be tested is refused in a line that names the value and what is accepted."""
    with pytest.raises(ParityError) as error:
        tost("loss", reference, other, margin)
    assert str(error.value) == line


def test_results_of_a_faithful_pair() -> None:
    """Loss, accuracy and predictions are tested in this order, each with its margin."""
    reference, other = results(), results(rng=1)
    found = over_seeds(reference, other)
    assert [one.name for one in found] == ["loss", "accuracy", "predictions"]
    assert [verdict(one) for one in found] == ["shown"] * 3
    assert [one.seeds for one in found] == [5] * 3
    relative = MARGINS["loss"].limit * np.mean(reference.losses)
    assert found[0].margin == pytest.approx(relative, rel=1e-12)
    assert found[1].margin == MARGINS["accuracy"].limit
    assert found[2].margin == MARGINS["predictions"].limit


@pytest.mark.parametrize("name", ["loss", "accuracy"])
@pytest.mark.parametrize("value", [3.0, -3.0, NAN])
def test_one_fault_shows_in_its_own_test(name: str, value: float) -> None:
    """A side off by three margins, or not finite, is refuted there and nowhere else."""
    reference = results()
    field = {"loss": "losses", "accuracy": "accuracies"}[name]
    moved = tuple(one + value * MARGINS[name].limit for one in getattr(reference, field))
    found = over_seeds(reference, dataclasses.replace(reference, **{field: moved}))
    assert [one.name for one in found if one.refuted] == [name]
    assert [one.name for one in found if not one.shown] == [name]


@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_reference_that_is_not_finite(value: float) -> None:
    """A reference that diverged gives the loss no margin: refuted, without a warning."""
    reference = dataclasses.replace(results(), losses=(value, INF, 1.0, 1.0, 1.0))
    assert verdict(over_seeds(reference, reference)[0]) == "refuted"


def test_the_worst_class_counts() -> None:
    """One class given to too many examples is refuted and named, though the others agree."""
    reference = results(classes=10)
    labels = reference.labels.copy()
    labels[:, :60] = 12  # a class that the reference never gives
    found = over_seeds(reference, dataclasses.replace(reference, labels=labels))[2]
    assert (verdict(found), found.note) == ("refuted", "class 12")
    assert found.mean == pytest.approx(0.06)


def test_which_examples_get_a_class_is_not_compared() -> None:
    """Shares are compared, not examples: other errors of the same number are no difference."""
    reference = results()
    other = dataclasses.replace(reference, labels=reference.labels[:, ::-1])
    assert verdict(over_seeds(reference, other)[2]) == "shown"


@pytest.mark.parametrize("shape", [(4, 1000), (5, 999), (5,), (5, 0)])
def test_labels_of_another_shape(shape: tuple[int, ...]) -> None:
    """Labels that do not belong to the seeds or the test set are refused with both shapes."""
    other = dataclasses.replace(results(), labels=np.zeros(shape, np.int64))
    with pytest.raises(ParityError, match=r"labels of shapes \(5, 1000\) and \(.*\), accepted"):
        over_seeds(results(), other)


def test_margins_carry_reasons() -> None:
    """Each margin is a small positive share and says why."""
    assert set(MARGINS) == {"loss", "accuracy", "predictions"}
    for allowed in MARGINS.values():
        assert 0 < allowed.limit <= 0.1
        assert "measured" in allowed.reason


def test_scipy_is_imported_only_to_test() -> None:
    """Importing the module loads no SciPy, which would slow every command."""
    code = "import sys, parity.numerics.equivalence; print('scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
