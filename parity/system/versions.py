"""The versions of what ran."""

from __future__ import annotations

import importlib.metadata
import platform


def versions(*packages: str) -> dict[str, str]:
    """Python and installed packages, this one among them, to their versions."""
    found = {"python": platform.python_version()}
    for name in ("keras-torch-parity", "numpy", *packages):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "unknown"
    return found
