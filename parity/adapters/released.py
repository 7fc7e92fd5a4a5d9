"""A released array: its shape and dtype remain, reading its values raises an error."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np


class ReleasedError(RuntimeError):
    """The values of a released array were read."""


class Released(np.lib.mixins.NDArrayOperatorsMixin):
    """Placeholder of an array whose memory has been freed.

    Every read of its values raises :class:`ReleasedError`: arithmetic, comparisons, indexing,
    NumPy's functions, methods of arrays, and conversion to an array.
    """

    def __init__(self, name: str, array: np.ndarray) -> None:
        self.name, self.shape, self.dtype = name, array.shape, array.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of entries."""
        return math.prod(self.shape)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # NumPy asks for protocols that need no values
            raise AttributeError(name)
        return self._refuse()

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise ReleasedError(
            f"{self.name}: received an array of shape {self.shape} that has been released, "
            "accepted: one read before forget() or after another run"
        )

    __array__ = __array_ufunc__ = __array_function__ = _refuse
    __getitem__ = __len__ = __iter__ = __float__ = __bool__ = _refuse


def released(name: str, array: np.ndarray) -> np.ndarray:
    """The placeholder of an array that was released; ``name`` appears in the error."""
    return cast("np.ndarray", Released(name, array))
