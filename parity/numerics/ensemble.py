"""The effect of rounding on a run: how far the members of an ensemble differ from it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from parity import rungs
from parity.numerics.distance import measure


def spread(
    rounding: dict[str, float],
    dtype: str,
    base: Mapping[str, np.ndarray],
    other: Mapping[str, np.ndarray],
) -> None:
    """Raise ``rounding`` to the differences between a member's tensors and the base run's.

    That is the root mean square in float32 and the largest difference in float64, as each dtype is
    judged. Tensors that the member lacks, and those of integers, are left out.

    Args:
        rounding: tensor name to difference, in the tensor's own unit; changed in place. It is inf
            if an entry of any member is not finite.
        dtype: of both runs.
        base: tensor name without the dtype to array.
        other: likewise.
    """
    for name, value in base.items():
        if value.dtype.kind != "f" or name not in other:
            continue
        (found,) = measure(value.shape, value.reshape(-1), other[name].reshape(-1), alone=True)
        key = rungs.join(dtype, name)
        difference = found.rms if dtype == "float32" else found.largest
        rounding[key] = max(rounding.get(key, 0.0), difference)
