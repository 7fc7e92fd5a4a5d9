"""How far apart the two models are in float32, which is what their users run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from parity.errors import ParityError
from parity.pairs import rounding
from parity.pairs.calls import Output
from parity.pairs.divergence import distance
from parity.pairs.opening import STAGES, aligned
from parity.pairs.report import Drift
from parity.progress import Progress


def drift(
    keras_model: Any,
    torch_model: Any,
    inputs: list[np.ndarray],
    own: list[np.ndarray] | None,
    weights: str,
    layer_map: Mapping[str, str] | None,
) -> Drift | None:
    """Run both in float32.

    Args: as of :func:`parity.pairs.opening.aligned`.

    Returns:
        The drift; None where a model cannot be had in float32.
    """
    try:
        with Progress("float32", STAGES) as progress:
            found, _ = aligned(
                keras_model, torch_model, inputs, own, weights, layer_map, "float32", progress
            )
        ends = [pair for pair in found.alignment.pairs if isinstance(pair[0].config, Output)]
        apart = [distance(k.output, t.output) for k, t in ends]
        found.keras_run.forget()
        rounding.allow(found.torch, found.torch_run, found.alignment, inputs, own)
    except ParityError:
        return None
    drifts = [Drift(away, k.allowed) for away, (k, _) in zip(apart, ends, strict=True)]
    return max(drifts, key=lambda one: one.observed / one.allowed, default=None)
