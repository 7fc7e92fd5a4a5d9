"""The pytest plugin, in a test suite of a user's own."""

from __future__ import annotations

import importlib
import importlib.metadata
import subprocess
import sys

import pytest

from parity.adapters import side
from parity_tests.pairs.interface.pair_files import FAULT, write

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.flavour


@pytest.fixture(autouse=True)
def frameworks(flavour: str) -> None:
    """Both are there before pytester looks: it unloads what is new; TensorFlow starts once."""
    side.start()
    importlib.import_module({"tf_keras": "tf_keras", "keras3": "keras"}[flavour])


SUITE = """
from ported import inputs, keras_model, torch_model


def test_port(assert_parity):
    report = assert_parity({arguments})
    assert report.verdict == "same"
"""


def of_a_suite(
    pytester: pytest.Pytester, flavour: str, arguments: str, *changes: tuple[str, str]
) -> pytest.RunResult:
    """Run one test with the fixture, in this process; installed or not, the plugin is there."""
    write(pytester.path, flavour, *changes, name="ported.py")
    pytester.makepyfile(SUITE.format(arguments=arguments))
    pytester.syspathinsert()
    points = importlib.metadata.entry_points(group="pytest11")
    installed = any(point.value == "parity.pairs.pytest_plugin" for point in points)
    plugin = () if installed else ("-p", "parity.pairs.pytest_plugin")
    return pytester.runpytest_inprocess(*plugin, "-p", "no:xdist", "-p", "no:cacheprovider")


@pytest.mark.parametrize(
    "arguments", ["keras_model(), torch_model(), inputs", "keras_model, torch_model, inputs()"]
)
def test_faithful_port_passes(pytester: pytest.Pytester, flavour: str, arguments: str) -> None:
    """Models, or the functions that build them, that are the same pass, and give their report."""
    of_a_suite(pytester, flavour, arguments).assert_outcomes(passed=1)


def test_failure_is_the_report(pytester: pytest.Pytester, flavour: str) -> None:
    """A faulty port fails with the report as its message, and without a traceback."""
    result = of_a_suite(pytester, flavour, "keras_model(), torch_model(), inputs()", FAULT)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["DIFFERENT: *", "*First divergence*", "*batch_norm.epsilon*"])
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*plugin.py*")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("keras_model(), 3, inputs()", "assert_parity: torch_model: received int, accepted: *"),
        (
            "keras_model(), torch_model(), inputs(), weights='mine'",
            "assert_parity: weights: received 'mine', accepted: *",
        ),
    ],
)
def test_wrong_use_fails(
    pytester: pytest.Pytester, flavour: str, arguments: str, line: str
) -> None:
    """What cannot be used fails the test with the line that says so."""
    result = of_a_suite(pytester, flavour, arguments)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([line])


def test_loading_costs_nothing() -> None:
    """A suite that has the plugin and does not use it waits for no framework, and not for NumPy."""
    code = (
        "import sys, pytest\n"
        "before = set(sys.modules)\n"
        "import parity.pairs.pytest_plugin\n"
        "print(sorted({name.split('.')[0] for name in set(sys.modules) - before}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['parity']"
