"""Framework-free half of the parity port: the contract of both implementations, the comparison.

Nothing in this package imports TensorFlow, Keras or PyTorch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parity.pairs.check import check as check

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """``parity.check``, imported when it is asked for: the command line must not wait for it."""
    if name == "check":
        from parity.pairs.check import check

        return check
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
