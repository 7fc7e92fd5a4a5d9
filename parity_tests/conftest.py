"""Options and fixtures of the whole suite."""

from __future__ import annotations

import importlib
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from parity.adapters.backend import Backend, Settings
from parity.cli import parser as cli
from parity.constants import FLAVOURS
from parity_tests.meta import outcomes
from parity_tests.support import cases
from parity_tests.support.comparisons import Comparison, Comparisons
from parity_tests.support.shared import Shared

Refused = Callable[..., str]
"""Runs an entry point in this process, which must refuse; gives its error line."""

BEGAN = time.monotonic()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--flavour", choices=FLAVOURS, default="tf_keras", help="the Keras to test")
    parser.addoption(
        "--faults-out", type=Path, metavar="FILE", help="write the results of the injected faults"
    )
    parser.addoption(
        "--full", action="store_true", help="run the tests marked full too, and every optimizer"
    )


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the tables of injected faults, if there were any."""
    reports = [
        report for kind in ("passed", "failed") for report in terminalreporter.getreports(kind)
    ]
    found: dict[str, list[outcomes.Outcome]] = {"fault": [], "pair fault": []}
    for name, value in (one for report in reports for one in report.user_properties):
        if name in found:
            found[name].append(value)
    rows = outcomes.by_fault(found["fault"])
    pairs = outcomes.by_fault(found["pair fault"], outcomes.PAIR_COLUMNS)
    if rows:
        terminalreporter.section("injected faults")
        terminalreporter.write("\n".join(outcomes.table(rows)) + "\n")
    if pairs:
        terminalreporter.section("injected faults in users' pairs")
        terminalreporter.write("\n".join(outcomes.table(pairs, outcomes.PAIR_COLUMNS)) + "\n")
    if out := config.getoption("--faults-out"):
        outcomes.write(out, rows, time.monotonic() - BEGAN)


def pytest_configure(config: pytest.Config) -> None:
    # PyTorch's threads sleep when idle: spinning ones starve the other process's
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ["PARITY_FLAVOUR"] = config.getoption("--flavour")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests marked ``full``, unless ``--full`` is given."""
    if config.getoption("--full"):
        return
    flavour = config.getoption("--flavour")
    long = {
        item
        for item in items
        if any(flavour in (mark.args or FLAVOURS) for mark in item.iter_markers("full"))
    }
    config.hook.pytest_deselected(items=[item for item in items if item in long])
    items[:] = [item for item in items if item not in long]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes ``comparison`` for every variant of every registered model.

    Each with one optimizer, with ``--full`` with all of them; with Keras 3 every fourth variant.
    """
    if "comparison" in metafunc.fixturenames:
        full = metafunc.config.getoption("--full")
        rows = cases.every_optimizer() if full else cases.one_optimizer_each()
        if not full and metafunc.config.getoption("--flavour") == "keras3":
            rows = rows[::4]
        metafunc.parametrize("comparison", rows, ids=["-".join(row) for row in rows], indirect=True)


@pytest.fixture(scope="session")
def flavour(request: pytest.FixtureRequest) -> str:
    return request.config.getoption("--flavour")


@pytest.fixture(scope="session")
def keras(flavour: str, keras_backend: Backend) -> Any:
    """The Keras that this run is of: ``tf_keras`` or ``keras``."""
    return importlib.import_module({"tf_keras": "tf_keras", "keras3": "keras"}[flavour])


@pytest.fixture(autouse=True)
def keras_dtype() -> Iterator[None]:
    """Every test finds Keras as a user does, in float32, whatever dtype the one before set."""
    yield
    if framework := sys.modules.get("keras_impl.framework"):
        framework.set_dtype("float32")


@pytest.fixture(scope="session")
def settings(flavour: str) -> Settings:
    return Settings(flavour=flavour, device="cpu", threads=1)


@pytest.fixture(scope="session")
def keras_backend(settings: Settings) -> Backend:
    from keras_impl.backend import KerasBackend

    return KerasBackend(settings)


@pytest.fixture(scope="session")
def torch_backend(settings: Settings) -> Backend:
    from torch_impl.backend import TorchBackend

    return TorchBackend(settings)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Shared:
    """Files that are made once for all workers of this test run."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # a worker's own folder is in the run's
        folder = folder.parent
    return Shared(folder / "shared")


@pytest.fixture(scope="session")
def comparisons(shared: Shared, keras_backend: Backend, torch_backend: Backend) -> Comparisons:
    return Comparisons(shared, keras_backend, torch_backend)


@pytest.fixture
def comparison(
    request: pytest.FixtureRequest, flavour: str, comparisons: Comparisons
) -> Comparison:
    """Both implementations of a variant with an optimizer, compared on every rung."""
    return comparisons.of(cases.spec_of(*request.param, flavour=flavour))


@pytest.fixture
def refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Refused:
    """Run an entry point in an empty folder that must stay as it is; give its error line."""
    monkeypatch.chdir(tmp_path)

    def run(entry: str, command: str, *flags: object) -> str:
        before = sorted(tmp_path.rglob("*"))
        argv = [*command.split(), *map(str, flags)]
        with pytest.raises(SystemExit) as ended:
            cli.main(argv) if entry == "parity" else cli.backend_main(entry, argv)
        said = capsys.readouterr()
        assert ended.value.code == 2, said
        assert said.out == ""
        assert re.fullmatch(r"[^\n]*error: [^\n]+\n", said.err), said.err
        assert sorted(tmp_path.rglob("*")) == before
        return said.err

    return run
