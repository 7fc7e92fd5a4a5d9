"""The distance between two tensors: right answers for ordinary and for hostile numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from parity.distance import Distance, measure

NAN, INF = float("nan"), float("inf")


def distance(a, b, rows: int | None = None, dtypes: tuple[str, str] = ("f8", "f8")) -> Distance:
    """Measure whole arrays, cut into pieces of so many rows."""
    x, y = np.asarray(a, dtypes[0]), np.asarray(b, dtypes[1])
    if not x.shape:
        return measure((), [(x, y)])
    rows = rows or max(len(x), 1)
    return measure(x.shape, ((x[i : i + rows], y[i : i + rows]) for i in range(0, len(x), rows)))


def test_largest_difference_with_its_place_and_values() -> None:
    """The worst entry is found and named with both values."""
    found = distance([[1.0, 2.0], [3.0, -4.0]], [[1.0, 2.5], [3.0, -3.0]])
    assert (found.largest, found.index, found.values) == (1.0, (1, 1), (-4.0, -3.0))
    assert found.scales == (4.0, 3.0)
    assert found.relative == 0.25
    assert found.rms == pytest.approx(math.sqrt((0.25 + 1) / 4), rel=1e-15)


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 50])
def test_pieces_change_nothing(rows: int) -> None:
    """A tensor measured in pieces gives what it gives as a whole."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 50, 3))
    whole, parts = distance(a, b), distance(a, b, rows)
    assert parts.rms == pytest.approx(whole.rms, rel=1e-14)
    for name in ("largest", "scales", "index", "values", "not_finite"):
        assert getattr(parts, name) == getattr(whole, name)


def test_signed_differences_do_not_cancel() -> None:
    """+1 and −1 are two differences, not none."""
    found = distance([0.0, 0.0], [1.0, -1.0])
    assert (found.largest, found.rms) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("a", "b", "counts"),
    [
        ([1.0, NAN], [1.0, 2.0], (1, 0)),
        ([1.0, 2.0], [1.0, NAN], (0, 1)),
        ([1.0, NAN], [1.0, NAN], (1, 1)),
        ([NAN, NAN], [NAN, NAN], (2, 2)),
        ([1.0, INF], [1.0, INF], (1, 1)),
        ([1.0, INF], [1.0, -INF], (1, 1)),
        ([1.0, 2.0], [1.0, INF], (0, 1)),
        ([NAN, 1.0], [1.0, INF], (1, 1)),
    ],
)
@pytest.mark.parametrize("rows", [1, 2])
def test_what_is_not_finite_is_infinitely_far(a, b, counts: tuple[int, int], rows: int) -> None:
    """A NaN or an infinity never passes, not even where both sides have it."""
    found = distance(a, b, rows)
    assert (found.largest, found.rms, found.relative) == (INF, INF, INF)
    assert found.not_finite == counts
    assert not np.isfinite(found.values).all()


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0)])
def test_no_entries(shape: tuple[int, ...]) -> None:
    """A tensor without entries has no distance and no values to show."""
    empty = np.zeros(shape)
    found = distance(empty, empty)
    assert (found.largest, found.rms, found.relative, found.values) == (0.0, 0.0, 0.0, None)


def test_scalars() -> None:
    """A tensor without axes has one entry, at the empty index."""
    found = distance(1.0, 3.0)
    assert (found.largest, found.rms, found.index, found.values) == (2.0, 2.0, (), (1.0, 3.0))


@pytest.mark.parametrize(
    ("a", "b", "largest", "rms", "relative"),
    [
        ([1e300, 0.0], [-1e-300, 0.0], 1e300, 1e300 / math.sqrt(2), 1.0),
        ([1e200, 1e200], [2e200, 2e200], 1e200, 1e200, 0.5),
        ([1e-200, 1e-200], [2e-200, 2e-200], 1e-200, 1e-200, 0.5),
        ([5e-324], [1e-323], 5e-324, 5e-324, 0.5),
        ([1e308], [-1e308], INF, INF, INF),
    ],
    ids=["huge", "squares_overflow", "squares_underflow", "denormal", "difference_overflows"],
)
def test_extreme_values(a, b, largest: float, rms: float, relative: float) -> None:
    """Neither huge nor tiny values overflow, vanish or warn on the way."""
    for rows in (1, 2):
        found = distance(a, b, rows)
        assert found.largest == largest
        assert found.rms == pytest.approx(rms, rel=1e-15, abs=0)
        assert found.relative == pytest.approx(relative, rel=1e-15)
    assert not any(found.not_finite)


def test_rms_over_pieces_of_growing_size() -> None:
    """A small difference before a huge one, and after, neither spoils the root mean square."""
    values = np.array([1e-170, 1e150, 1e-170, 1e155, 0.0])
    found = distance(np.zeros(5), values, rows=1)
    assert found.rms == pytest.approx(math.sqrt((1 + 1e-10) / 5) * 1e155, rel=1e-14)


def test_zero_throughout() -> None:
    """Two zero tensors agree; against zeros, any entry is as far as it can be."""
    assert distance([0.0], [-0.0]).relative == 0.0
    assert distance([0.0, 0.0], [0.0, 1e-30]).relative == 1.0


def test_float32_is_measured_in_float64() -> None:
    """Differences below float32's resolution are seen."""
    found = distance([1.0 + 1e-12], [1.0], dtypes=("f8", "f4"))
    assert found.largest == pytest.approx(1e-12, rel=1e-3)


def test_whole_numbers() -> None:
    """Labels are measured as numbers."""
    found = distance([1, 2, 3], [1, 5, 3], dtypes=("i8", "i8"))
    assert (found.largest, found.index, found.values) == (3.0, (1,), (2.0, 5.0))


def test_arguments_are_left_alone() -> None:
    """The measured arrays keep their bits."""
    a, b = np.array([1.0, NAN]), np.array([2.0, 3.0])
    before = a.copy(), b.copy()
    measure(a.shape, [(a, b)])
    np.testing.assert_array_equal(a, before[0])
    np.testing.assert_array_equal(b, before[1])
