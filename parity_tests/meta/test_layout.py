"""The repository follows the rules of its layout, and each rule can fail."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from parity.specs.registry import MODELS, class_name
from parity_tests.support import layout
from parity_tests.support.layout import FRAMEWORKS, TWINS

ROOT = Path(__file__).parents[2]
Rule = Callable[[Path], list[str]]


@pytest.mark.parametrize("rule", layout.RULES, ids=lambda rule: rule.__name__)
def test_the_repository_follows_the_rule(rule: Rule) -> None:
    """The rule finds nothing; its docstring says what it looks for."""
    assert rule(ROOT) == []


FULL = {f"parity_tests/zoo/kind_{number}.py": "" for number in range(16)}
BREACHES: list[tuple[Rule, dict[str, str], bool]] = [
    (layout.long_files, {"parity/long.py": "x = 1\n" * 401}, True),
    (layout.long_files, {"parity/long.py": "x = 1\n" * 400}, False),
    (layout.full_folders, FULL, True),
    (layout.full_folders, dict.fromkeys(FULL, "FAULTS = []"), False),
    (layout.full_folders, dict.fromkeys(FULL, "@kind('a')\ndef a(): pass"), False),
    (layout.full_folders, dict(list(FULL.items())[1:]), False),
    (
        layout.import_cycles,
        {"parity/a.py": "import parity.b", "parity/b.py": "import parity"},
        False,
    ),
    (
        layout.import_cycles,
        {
            "parity/a.py": "from parity import b",
            "parity/b.py": "from parity.c import x",
            "parity/c.py": "if TYPE_CHECKING:\n    from parity.a import y",
        },
        True,
    ),
    (layout.forbidden_imports, {"parity/a.py": "def f():\n    import torch.nn"}, True),
    (layout.forbidden_imports, {"keras_impl/a.py": "from torch_impl import backend"}, True),
    (layout.forbidden_imports, {"torch_impl/a.py": "from torch import nn"}, False),
    (layout.files_without_a_twin, {"keras_impl/parts/a.py": ""}, True),
    (
        layout.files_without_a_twin,
        {"keras_impl/parts/a.py": "", "torch_impl/parts/a.py": "", "torch_impl/nn/b.py": ""},
        False,
    ),
]


@pytest.mark.parametrize(("rule", "files", "broken"), BREACHES)
def test_every_rule_can_fail(
    rule: Rule, files: dict[str, str], broken: bool, tmp_path: Path
) -> None:
    """A small tree that breaks the rule is found, and one that follows it is not."""
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert bool(rule(tmp_path)) == broken


def test_every_rule_is_broken_once() -> None:
    """No rule without an example."""
    assert {rule for rule, _, broken in BREACHES if broken} == set(layout.RULES)


GUARANTEES = {
    *("test_parameter_counts.py", "test_forward.py", "test_losses.py"),
    *("test_gradients.py", "test_training.py", "test_predictions.py"),
}


def test_the_guarantees_stand_first() -> None:
    """At the top level of the tests there are the six guarantees and nothing else."""
    top = {path.name for path in (ROOT / "parity_tests").glob("*.py")}
    assert top == {*GUARANTEES, "__init__.py", "conftest.py"}


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
