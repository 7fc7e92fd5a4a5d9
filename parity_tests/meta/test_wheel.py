"""The wheel: what it holds, and that it works away from the checkout.

It is built here, or is the one that the environment variable PARITY_WHEEL names.
"""

from __future__ import annotations

import configparser
import email
import os
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parents[2]
DATA = PurePosixPath("parity/_datasets")


def run(*arguments: str | Path, **options) -> str:
    """Run this Python with the arguments and return its output; its errors fail the test."""
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, **options)
    assert done.returncode == 0, f"{command} exited {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Return the path of the wheel."""
    if given := os.environ.get("PARITY_WHEEL"):
        return Path(given).resolve()
    out = tmp_path_factory.mktemp("wheel")
    run("-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT)
    (built,) = out.iterdir()
    return built


@pytest.fixture(scope="module")
def names(wheel):
    """Return the paths of the files in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return [PurePosixPath(name) for name in archive.namelist()]


@pytest.fixture(scope="module")
def dist_info(wheel):
    """Return a reader of the files in the wheel's .dist-info folder."""

    def read(name: str) -> str:
        with zipfile.ZipFile(wheel) as archive:
            (path,) = (p for p in archive.namelist() if p.endswith(f".dist-info/{name}"))
            return archive.read(path).decode()

    return read


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Return a folder that the wheel, without its dependencies, is installed into."""
    target = tmp_path_factory.mktemp("installed")
    run("-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target", target, wheel)
    return target


@pytest.fixture
def away(installed, tmp_path):
    """Return a runner of Python code in an empty folder, with the installed wheel on the path."""

    def run_code(code: str) -> str:
        return run("-c", code, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(installed)})

    return run_code


def test_top_level_modules_are_the_three_packages(names):
    """Nothing else lands in site-packages: no data folder, no tests."""
    top = {path.parts[0] for path in names if not path.parts[0].endswith(".dist-info")}
    assert top == {"keras_impl", "parity", "torch_impl"}


def test_every_embedded_data_set_is_inside(names):
    """Each file of the checkout's data folder is in the wheel, under the package that reads it."""
    expected = {DATA / p.relative_to(ROOT / "datasets") for p in ROOT.glob("datasets/*/*.npz")}
    assert expected
    assert {path for path in names if path.suffix == ".npz"} == expected


def test_data_comes_with_nothing_but_its_descriptions(names):
    """The scripts that prepare the data stay in the repository."""
    others = {path.name for path in names if path.is_relative_to(DATA) and path.suffix != ".npz"}
    assert others <= {"README.md"}


def test_entry_points(dist_info):
    """The command, both backends, both sides of a pair and the pytest plugin are announced."""
    entry_points = configparser.ConfigParser(delimiters=("=",))
    entry_points.read_string(dist_info("entry_points.txt"))
    assert {section: dict(entry_points[section]) for section in entry_points.sections()} == {
        "console_scripts": {"parity": "parity.cli:main"},
        "parity.backends": {
            "keras": "keras_impl.backend:KerasBackend",
            "torch": "torch_impl.backend:TorchBackend",
        },
        "parity.sides": {
            "keras": "keras_impl.capture.side:KerasSide",
            "torch": "torch_impl.capture.side:TorchSide",
        },
        "pytest11": {"parity": "parity.pairs.pytest_plugin"},
    }


def test_base_install_needs_no_framework(dist_info):
    """Both frameworks are reached through extras only."""
    requirements = email.message_from_string(dist_info("METADATA")).get_all("Requires-Dist")
    base = [requirement for requirement in requirements if "extra ==" not in requirement]
    assert {requirement.split(">")[0] for requirement in base} == {
        *("numpy", "rich", "safetensors", "scipy")
    }


def test_metadata_states_the_licence_and_names_nobody(dist_info):
    """The licence is MIT, its text is included, and there are no authors or addresses."""
    metadata = email.message_from_string(dist_info("METADATA"))
    assert metadata["License-Expression"] == "MIT"
    assert dist_info("licenses/LICENSE") == (ROOT / "LICENSE").read_text()
    fields = {name.lower() for name in metadata}
    assert not [f for f in fields if f.startswith(("author", "maintainer", "home", "project-url"))]


def test_packages_are_marked_as_typed(names):
    """Type checkers read the annotations of each package."""
    packages = {path.parent.name for path in names if path.name == "py.typed"}
    assert packages == {"keras_impl", "parity", "torch_impl"}


def test_check_is_completed_before_it_is_imported(away):
    """``dir(parity)`` lists ``check``; importing ``parity`` loads not even NumPy."""
    listed, loaded = away(
        "import sys, parity; print(*dir(parity)); print(*sys.modules)"
    ).splitlines()
    assert "check" in listed.split()
    assert not {"keras", "numpy", "tensorflow", "tf_keras", "torch"} & set(loaded.split())


def test_command_imports_away_from_the_checkout(away, installed):
    """The command line is imported from the installed wheel."""
    printed = away("import parity.cli; print(parity.cli.__file__)")
    assert Path(printed.strip()).is_relative_to(installed)


def test_embedded_data_loads_away_from_the_checkout(away, installed):
    """A data set is read from the installed wheel."""
    printed = away("import parity.data.datasets; print(parity.data.datasets.load('digits').source)")
    assert Path(printed.strip()).is_relative_to(installed)


def test_base_imports_no_framework(away):
    """The command line and the data start without either framework being imported."""
    loaded = away("import sys, parity.cli, parity.data.datasets; print(*sys.modules)").split()
    assert not {"keras", "tensorflow", "tf_keras", "torch"} & set(loaded)
