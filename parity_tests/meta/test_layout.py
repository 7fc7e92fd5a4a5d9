"""The house is in order: twins face each other, imports run one way, a missing file is named."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from parity.specs.registry import MODELS, class_name

ROOT = Path(__file__).parents[2]
TWINS = ("keras_impl", "torch_impl")
FRAMEWORKS = {"tensorflow", "tf_keras", "keras", "torch"}
FORBIDDEN = {
    "parity": FRAMEWORKS | set(TWINS),
    "keras_impl": {"torch", "torch_impl"},
    "torch_impl": {"tensorflow", "tf_keras", "keras", "keras_impl"},
}
TWIN_FOLDERS = ("", "models", "parts", "ladder")
"""Folders whose files exist in both implementations; ``capture`` depends on the framework."""

MOST_LINES, MOST_FILES = 400, 15

SOURCES = [
    path.relative_to(ROOT)
    for package in FORBIDDEN
    for path in sorted((ROOT / package).rglob("*.py"))
]


def imported(path: Path) -> set[str]:
    """Top-level names of every module that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_imports_run_one_way(path: Path) -> None:
    """No file imports what its package must not know."""
    wrong = imported(ROOT / path) & FORBIDDEN[path.parts[0]]
    assert not wrong, f"{path} imports {', '.join(sorted(wrong))}"


@pytest.mark.parametrize("package", TWINS)
@pytest.mark.parametrize("family", MODELS)
def test_every_model_has_its_file_and_class(package: str, family: str) -> None:
    """A registered model stands in ``models/<family>.py`` of both implementations."""
    path = ROOT / package / "models" / f"{family}.py"
    assert path.is_file(), f"missing: {path.relative_to(ROOT)}"
    classes = [
        node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef)
    ]
    assert classes == [class_name(family)]


@pytest.mark.parametrize("family", MODELS)
def test_every_spec_has_its_file(family: str) -> None:
    """A registered spec stands in ``parity/specs/<family>.py`` and says so itself."""
    path = ROOT / "parity" / "specs" / f"{family}.py"
    assert path.is_file(), f"missing: {path.relative_to(ROOT)}"
    assert MODELS[family].family == family
    assert MODELS[family].__module__ == f"parity.specs.{family}"


@pytest.mark.parametrize("folder", TWIN_FOLDERS)
def test_twins_have_the_same_files(folder: str) -> None:
    """Each implementation has the same files in the folders that are twins."""
    keras, torch = ({path.name for path in (ROOT / twin / folder).glob("*.py")} for twin in TWINS)
    assert keras == torch


@pytest.mark.parametrize("family", MODELS)
def test_model_files_read_like_their_twin(family: str) -> None:
    """A model file names its twin, lists deliberate differences, and is at most 100 lines long."""
    for package, twin in (TWINS, TWINS[::-1]):
        text = (ROOT / package / "models" / f"{family}.py").read_text()
        docstring = ast.get_docstring(ast.parse(text)) or ""
        assert f"{twin}/models/{family}.py" in docstring
        assert "Deliberate differences:" in docstring
        assert len(text.splitlines()) <= 100


SHARED_NAMES = {
    "parts/augmentation": {"augmentation", "Augmentation"},
    "framework": {"configure", "threads", "versions"},
    "parts/layers": {
        "SharedDropout",
        "batch_norm",
        "layer_norm",
        "activation",
        "pool",
        "TokenEmbedding",
        "output_activation",
    },
    "parts/losses": {"HeadLoss"},
    "parts/scores": {"scores_of"},
    "parts/noise": {"noise", "dropout"},
    "parts/optimizers": {"optimizer_for", "slots"},
    "ladder/trace": {"traced"},
    "ladder/weights": {"by_canonical_name"},
}


@pytest.mark.parametrize("module", SHARED_NAMES)
def test_twins_share_their_public_names(module: str) -> None:
    """What both frameworks need goes by one name in both, in the same order."""
    orders = []
    for package in TWINS:
        body = ast.parse((ROOT / package / f"{module}.py").read_text()).body
        names = [node.name for node in body if isinstance(node, (ast.ClassDef, ast.FunctionDef))]
        orders.append([name for name in names if name in SHARED_NAMES[module]])
    assert set(orders[0]) == SHARED_NAMES[module]
    assert orders[0] == orders[1]


def test_parity_runs_without_a_framework() -> None:
    """Importing every module of ``parity`` loads no framework."""
    code = (
        "import importlib, pkgutil, sys, parity\n"
        "for module in pkgutil.walk_packages(parity.__path__, 'parity.'):\n"
        "    importlib.import_module(module.name)\n"
        f"print(sorted(set(sys.modules) & {FRAMEWORKS | set(TWINS)!r}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_datasets_is_no_package() -> None:
    """``datasets`` holds data; the import name belongs to another project."""
    assert not (ROOT / "datasets" / "__init__.py").exists()
    spec = importlib.util.find_spec("datasets")
    assert spec is None or spec.origin is None or ROOT not in Path(spec.origin).parents
