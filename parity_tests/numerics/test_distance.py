"""The distance between two tensors: right answers for ordinary and for hostile numbers."""

from __future__ import annotations

import dataclasses
import math
from decimal import Context, Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

import parity.numerics.distance
from parity.numerics import blocks
from parity.numerics.distance import Distance, measure, relative_error

NAN, INF = float("nan"), float("inf")


@pytest.fixture(params=[None, 1, 2, 8], ids="block {}".format, autouse=True)
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test once with blocks as they are, and with smaller ones."""
    if request.param:
        monkeypatch.setattr(blocks, "PIECE", 2 * request.param)
        monkeypatch.setattr(parity.numerics.distance, "BLOCK", request.param)


def distance(a, b, dtypes: tuple[str, str] = ("f8", "f8")) -> Distance:
    """Measure whole arrays."""
    x, y = np.asarray(a, dtypes[0]), np.asarray(b, dtypes[1])
    return measure(x.shape, x.reshape(-1), y.reshape(-1))[0]


def test_largest_difference_with_its_place_and_values() -> None:
    """The worst entry is found and named with both values."""
    found = distance([[1.0, 2.0], [3.0, -4.0]], [[1.0, 2.5], [3.0, -3.0]])
    assert (found.largest, found.index, found.values) == (1.0, (1, 1), (-4.0, -3.0))
    assert found.scales == (4.0, 3.0)
    assert found.relative == 0.25
    assert found.rms == pytest.approx(math.sqrt((0.25 + 1) / 4), rel=1e-15)


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
def test_what_is_not_finite_is_infinitely_far(a, b, counts: tuple[int, int]) -> None:
    """A NaN or an infinity never passes, not even where both sides have it."""
    found = distance(a, b)
    assert (found.largest, found.rms, found.relative) == (INF, INF, INF)
    assert found.not_finite == counts
    assert not np.isfinite(found.values).all()


def test_equal_infinities_are_no_difference_on_request() -> None:
    """The finite entries decide, and a NaN or an infinity of one side is still infinite."""
    equal = np.array([2.0, INF, -INF]), np.array([1.0, INF, -INF])
    assert relative_error(*equal) == 0.5
    assert relative_error(*equal, equal_infinities=False) == INF
    for reference, other in (([INF, 1.0], [-INF, 1.0]), ([INF, NAN], [INF, NAN]), ([1.0], [INF])):
        assert relative_error(np.array(reference), np.array(other)) == INF


def test_relative_error_of_arrays() -> None:
    """Numbers, arrays of other strides and unequal shapes."""
    assert relative_error(1.0, 3.0) == 2 / 3
    assert relative_error(np.zeros((0, 3)), np.zeros((0, 3))) == 0.0
    assert relative_error(np.zeros((2, 1)), np.zeros((1, 2))) == INF
    a = np.arange(12.0).reshape(3, 4)
    assert relative_error(a, np.asfortranarray(a)) == 0.0
    assert relative_error(a[:, ::2], a[:, 1::2]) == 1 / 11


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
    found = distance(a, b)
    assert found.largest == largest
    assert found.rms == pytest.approx(rms, rel=1e-15, abs=0)
    assert found.relative == pytest.approx(relative, rel=1e-15)
    assert not any(found.not_finite)


def test_rms_over_blocks_of_growing_size() -> None:
    """A small difference before a huge one, and after, neither spoils the root mean square."""
    values = np.array([1e-170, 1e150, 1e-170, 1e155, 0.0])
    found = distance(np.zeros(5), values)
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
    measure(a.shape, a, b)
    np.testing.assert_array_equal(a, before[0])
    np.testing.assert_array_equal(b, before[1])


DTYPES = ("f8", "f4", "f2", "i8", "u1", "?")
ANY = st.sampled_from(
    [0.0, -0.0, 1.0, -1.5, 5e-324, 1e-160, -1e-170, 1e150, 1e300, -1e308, NAN, INF]
)
ROUNDED = st.floats(width=16, allow_nan=False, allow_infinity=False)


@st.composite
def several(draw: st.DrawFn) -> list[np.ndarray]:
    """Two or three arrays of one shape, each of a dtype of its own."""
    shape = draw(array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=7))
    made = []
    for _ in range(draw(st.integers(2, 3))):
        dtype = np.dtype(draw(st.sampled_from(DTYPES)))
        entries = {"f": ANY | ROUNDED, "i": st.integers(-(2**60), 2**60)}.get(dtype.kind)
        with np.errstate(over="ignore", under="ignore"):
            values = (
                draw(arrays(np.float64, shape, elements=ANY | ROUNDED))
                if dtype.kind == "f"
                else draw(arrays(dtype, shape, elements=entries))
            )
            made.append(values.astype(dtype))
    return made


def plainly(a: np.ndarray, b: np.ndarray) -> Distance:
    """The same, entry by entry, in exact fractions where float64 would not do."""
    x, y = ([float(entry) for entry in side.reshape(-1)] for side in (a, b))
    finite = [math.isfinite(p) and math.isfinite(q) for p, q in zip(x, y, strict=True)]
    away = [abs(p - q) if good else INF for p, q, good in zip(x, y, finite, strict=True)]
    largest = max(away, default=0.0)
    place = away.index(largest) if away else 0
    rms = largest
    if 0 < largest < INF:
        square = sum(Fraction(entry / 1.0) ** 2 for entry in away) / len(away)
        digits = Context(prec=40, Emin=-10000, Emax=10000)
        rms = float(
            digits.sqrt(digits.divide(Decimal(square.numerator), Decimal(square.denominator)))
        )
    kept = [[abs(entry) for entry in side if math.isfinite(entry)] for side in (x, y)]
    return Distance(
        largest=largest,
        rms=rms,
        scales=(max(kept[0], default=0.0), max(kept[1], default=0.0)),
        index=tuple(map(int, np.unravel_index(place, a.shape))) if away else (0,) * a.ndim,
        values=(x[place], y[place]) if away else None,
        not_finite=(len(x) - len(kept[0]), len(y) - len(kept[1])),
    )


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(several())
def test_blocks_and_shortcuts_change_nothing(tensors: list[np.ndarray]) -> None:
    """Whatever the numbers, dtypes and sizes, all is as by a plain loop, the RMS to a few ulp."""
    reference, *others = tensors
    measured = measure(reference.shape, *(tensor.reshape(-1) for tensor in tensors))
    for other, found in zip(others, measured, strict=True):
        plain = plainly(reference, other)
        assert found.rms == pytest.approx(plain.rms, rel=1e-15, abs=5e-324)
        assert repr(dataclasses.replace(found, rms=plain.rms)) == repr(plain)
