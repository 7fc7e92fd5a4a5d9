"""Parity checks of Keras and PyTorch models: ``parity.check(keras_model, torch_model)``.

Nothing in this package imports TensorFlow, Keras or PyTorch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parity.pairs.check import check

__all__ = ["__version__", "check"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import ``parity.check`` on first access, so that ``import parity`` stays fast."""
    if name == "check":
        from parity.pairs.check import check

        return check
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the public names, for tab completion."""
    return __all__
