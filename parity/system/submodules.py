"""All modules below a package, found by walking its folder."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType


def submodules(package: str) -> list[ModuleType]:
    """Import every module below a package, whatever its depth, in alphabetical order."""
    path = importlib.import_module(package).__path__
    found = pkgutil.walk_packages(path, f"{package}.")
    return [importlib.import_module(one.name) for one in found]
