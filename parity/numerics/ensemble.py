"""What rounding does to a run: how far the members of an ensemble stand from it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from parity import rungs


def spread(
    rounding: dict[str, float],
    dtype: str,
    base: Mapping[str, np.ndarray],
    other: Mapping[str, np.ndarray],
) -> None:
    """Widen ``rounding`` to the distance between a member's tensors and the base run's.

    float32 keeps the root of the mean squared difference, float64 the largest one, as each is
    judged. Tensors that the member lacks, and whole numbers, have none.

    Args:
        rounding: tensor name to distance, in the tensor's own unit; changed in place.
        dtype: of both runs.
        base: tensor name without the dtype to array.
        other: likewise.
    """
    for name, value in base.items():
        if value.dtype.kind != "f" or name not in other:
            continue
        away = np.abs(other[name].astype(np.float64) - value.astype(np.float64))
        distance = np.sqrt(np.mean(away**2)) if dtype == "float32" else away.max(initial=0.0)
        key = rungs.join(dtype, name)
        rounding[key] = float(np.maximum(rounding.get(key, 0.0), distance))  # which keeps a NaN
