"""Load Keras's test files with the imports of its classes redirected to the adapters, and run them.

No line of a test changes but for its import statements.
"""

from __future__ import annotations

import ast
import importlib.util
import types
import unittest
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from parity_tests.keras_own_tests.adapters.arguments import Computed

AREAS = ("constraints", "losses", "metrics", "optimizers", "regularizers")
ADAPTERS = "parity_tests.keras_own_tests.adapters"

PASSED, UNUSED, FAILED, SKIPPED = "passed", "computed nothing", "failed", "skipped by Keras"


@dataclass(frozen=True)
class Outcome:
    """What became of one of Keras's tests.

    Attributes:
        test: ``file::class::method``; the file relative to ``keras/src``.
        result: one of the constants above; :data:`UNUSED` for a test that passed without a single
            result of ``torch_impl``.
        details: the traceback of a failure.
    """

    test: str
    result: str
    details: str = ""


def folder() -> Path:
    """Keras's sources; they are found without importing Keras."""
    spec = importlib.util.find_spec("keras")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "src"


def files() -> list[str]:
    """Keras's test files of all areas, relative to its sources."""
    found = (path for area in AREAS for path in (folder() / area).rglob("*_test.py"))
    return sorted(str(path.relative_to(folder())) for path in found)


@cache
def load(file: str) -> types.ModuleType:
    """The test file as a module that uses the adapters."""
    path = folder() / file
    tree = ast.parse(path.read_text())
    tree.body = [one for node in tree.body for one in _redirected(node)]
    module = types.ModuleType(f"keras_own_tests.{path.stem}")
    module.__file__ = str(path)
    exec(compile(ast.fix_missing_locations(tree), str(path), "exec"), vars(module))
    return module


def _redirected(node: ast.stmt) -> Iterator[ast.stmt]:
    """An import of Keras's classes, functions or modules as one import per name."""
    if not isinstance(node, ast.ImportFrom) or not node.module:
        yield node
        return
    for alias in node.names:
        parts = [*node.module.split("."), alias.name]
        if parts[:2] != ["keras", "src"] or parts[2] not in AREAS:
            yield ast.ImportFrom(node.module, [alias], 0)
        elif not _is_module(folder().joinpath(*parts[2:])):
            yield ast.ImportFrom(f"{ADAPTERS}.{parts[2]}", [alias], 0)
        else:  # a module of Keras
            name = "schedules" if alias.name == "schedules" else parts[2]
            yield ast.ImportFrom(ADAPTERS, [ast.alias(name, alias.asname or alias.name)], 0)


def _is_module(path: Path) -> bool:
    return path.is_dir() or path.with_suffix(".py").is_file()


def _cases(file: str) -> Iterator[tuple[str, type[unittest.TestCase], str]]:
    for name, cls in vars(load(file)).items():
        if isinstance(cls, type) and issubclass(cls, unittest.TestCase):
            for method in unittest.defaultTestLoader.getTestCaseNames(cls):
                yield f"{file}::{name}::{method}", cls, method


def tests(file: str) -> list[str]:
    """The tests of a file, as :attr:`Outcome.test` names them."""
    return [test for test, _, _ in _cases(file)]


def run(file: str) -> list[Outcome]:
    """Run all tests of a file."""
    return [_outcome(*case) for case in _cases(file)]


def _outcome(test: str, cls: type[unittest.TestCase], method: str) -> Outcome:
    marks: list[Any] = getattr(getattr(cls, method), "pytestmark", [])
    if any(mark.name == "skipif" and mark.args[0] for mark in marks):
        return Outcome(test, SKIPPED)
    before, result = Computed.results, unittest.TestResult()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras's and TensorFlow's own
        cls(method).run(result)
    for _, details in [*result.failures, *result.errors]:
        return Outcome(test, FAILED, details)
    if result.skipped:
        return Outcome(test, SKIPPED)
    return Outcome(test, PASSED if Computed.results > before else UNUSED)
