"""The rules of the repository's layout; each lists what breaks it below a folder."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

MOST_LINES, MOST_FILES = 400, 15
FOLDERS = ("parity", "keras_impl", "torch_impl", "parity_tests", "benchmarks")
TWINS = ("keras_impl", "torch_impl")
TWIN_FOLDERS = ("", "models", "parts", "ladder")
"""Folders whose files exist in both implementations; ``capture`` depends on the framework."""

FRAMEWORKS = {"tensorflow", "tf_keras", "keras", "torch"}
FORBIDDEN = {
    "parity": FRAMEWORKS | set(TWINS),
    "keras_impl": {"torch", "torch_impl"},
    "torch_impl": {"tensorflow", "tf_keras", "keras", "keras_impl"},
}
"""Package to the names that none of its files may import."""


def long_files(root: Path) -> list[str]:
    """Files of more than 400 lines."""
    counts = {path: len(path.read_text("utf-8").splitlines()) for path in sources(root)}
    return [f"{path}: {count} lines" for path, count in counts.items() if count > MOST_LINES]


def full_folders(root: Path) -> list[str]:
    """Folders of more than 15 files, unless half of them register one kind of entry.

    A module registers by assigning a public constant of the same name, such as ``FAULTS``, or
    by a decorator that is called, such as ``@layer_kind("dense")``.
    """
    found = []
    for folder in sorted({path.parent for path in sources(root)}):
        paths = sorted(folder.glob("*.py"))
        entries = Counter(name for path in paths for name in _registered(path))
        most = max(entries.values(), default=0)
        if len(paths) > MOST_FILES and most < len(paths) / 2:
            found.append(f"{folder}: {len(paths)} files")
    return found


def import_cycles(root: Path) -> list[str]:
    """Modules that import each other, also where the import is for types or in a function."""
    modules = {_module(root, path): path for path in sources(root)}
    graph = {
        name: {target for target in _imported(path, modules) if target != name}
        for name, path in modules.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [" imports ".join(error.args[1][::-1])]
    return []


def forbidden_imports(root: Path) -> list[str]:
    """Imports of a framework, or of the other implementation, where a package must not know it."""
    return [
        f"{path}: imports {name}"
        for path in sources(root)
        for name in sorted({one.split(".")[0] for one in _names(path)})
        if name in FORBIDDEN.get(path.relative_to(root).parts[0], ())
    ]


def files_without_a_twin(root: Path) -> list[str]:
    """Files of the twins' folders that one implementation has alone."""
    found = []
    for folder in TWIN_FOLDERS:
        keras, torch = ({one.name for one in (root / twin / folder).glob("*.py")} for twin in TWINS)
        found += [f"{folder}/{name}" for name in sorted(keras ^ torch)]
    return found


RULES = (long_files, full_folders, import_cycles, forbidden_imports, files_without_a_twin)


def sources(root: Path) -> list[Path]:
    """Every Python file of the project."""
    return [path for folder in FOLDERS for path in sorted((root / folder).rglob("*.py"))]


def _module(root: Path, path: Path) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def _names(path: Path) -> Iterator[str]:
    """What a file imports, wherever in it; ``from a import b`` as ``a.b``."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _imported(path: Path, modules: dict[str, Path]) -> Iterator[str]:
    """The project's modules that a file imports."""
    for name in _names(path):
        yield name if name in modules else name.rpartition(".")[0]


def _registered(path: Path) -> set[str]:
    """Public constants that a module assigns, and decorators that it calls."""
    names = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {one.id for one in targets if isinstance(one, ast.Name) and one.id.isupper()}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            called = (one.func for one in node.decorator_list if isinstance(one, ast.Call))
            names |= {one.id for one in called if isinstance(one, ast.Name)} - {"dataclass"}
    return {name for name in names if not name.startswith("_")}
