"""Keras 3's own tests pass with ``torch_impl``, or have a reason why they do not apply."""

from __future__ import annotations

import fnmatch

import pytest

from parity.adapters.backend import Backend
from parity_tests.keras_own_tests import loading
from parity_tests.keras_own_tests.exceptions import REASONS, problems

pytestmark = pytest.mark.flavour


@pytest.fixture
def keras_3(flavour: str, keras_backend: Backend) -> None:
    """Skip where Keras 2 runs."""
    if flavour != "keras3":
        pytest.skip("Keras 2 ships no tests")


@pytest.mark.parametrize("file", loading.files())
def test_keras_tests_pass(file: str, keras_3: None) -> None:
    """Every test of the file passes with results of ``torch_impl``, or fails as its reason says."""
    outcomes = loading.run(file)
    assert outcomes
    assert not problems(outcomes), "\n".join(problems(outcomes))


def test_every_reason_is_needed(keras_3: None) -> None:
    """Every pattern of the table matches a test."""
    tests = [test for file in loading.files() for test in loading.tests(file)]
    for reason in REASONS:
        for pattern in reason.tests:
            assert fnmatch.filter(tests, pattern), pattern


def test_most_tests_pass(keras_3: None) -> None:
    """What the table excludes does not grow unnoticed."""
    tests = [test for file in loading.files() for test in loading.tests(file)]
    excluded = [test for test in tests if any(reason.covers(test) for reason in REASONS)]
    assert len(tests) == 898
    assert len(excluded) <= 337
