"""The pytest plugin: a fixture that holds a pair of models against each other in any test suite.

It loads with every pytest of an environment that this package is installed in, so nothing is
imported here before the fixture is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from parity.report.report import Report


class AssertParity(Protocol):
    """What the fixture gives."""

    def __call__(self, keras_model: Any, torch_model: Any, inputs: Any, **options: Any) -> Report:
        """Fail the test unless they are the same."""


@pytest.fixture
def assert_parity() -> AssertParity:
    """A function that fails the test unless a Keras and a PyTorch model are the same.

    Its arguments are those of ``parity.check``, whose report it returns; the report of two that
    differ, or the line that says what could not be used, is the message of the failure.
    """

    def hold(keras_model: Any, torch_model: Any, inputs: Any, **options: Any) -> Report:
        __tracebackhide__ = True
        from parity.errors import ParityError
        from parity.pairs.check import check

        try:
            report = check(keras_model, torch_model, inputs, **options)
        except ParityError as error:
            pytest.fail(f"assert_parity: {error}", pytrace=False)
        if report.verdict != "same":
            pytest.fail(str(report), pytrace=False)
        return report

    return hold
