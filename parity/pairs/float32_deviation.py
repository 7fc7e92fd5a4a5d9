"""How far apart the two models are in float32, which is what their users run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from parity.adapters.calls import Output
from parity.adapters.trainer import Batch
from parity.errors import ParityError
from parity.numerics.arrays import distance
from parity.pairs import allowance
from parity.pairs.forward.setup import STAGES, aligned
from parity.pairs.training import float32_gradients
from parity.progress import Progress
from parity.verdict.result import Float32Deviation


def drift(
    keras_model: Any,
    torch_model: Any,
    inputs: list[np.ndarray],
    own: list[np.ndarray] | None,
    weights: str,
    layer_map: Mapping[str, str] | None,
    *,
    batch: Batch | None = None,
    loss: Any = None,
    seed: int = 0,
) -> tuple[Float32Deviation, ...]:
    """Run both in float32.

    Args:
        keras_model: as of :func:`parity.pairs.forward.setup.aligned`; so are the next five.
        torch_model: likewise.
        inputs: likewise.
        own: likewise.
        weights: likewise.
        layer_map: likewise.
        batch: what gradients are of; None: of outputs alone.
        loss: as of :func:`parity.pairs.training.session.train_findings`.
        seed: likewise.

    Returns:
        Of outputs, then of gradients; none where a model cannot be had in float32.
    """
    drifts = []
    try:
        with Progress("float32", STAGES) as progress:
            found, _ = aligned(
                keras_model, torch_model, inputs, own, weights, layer_map, "float32", progress
            )
        ends = [pair for pair in found.alignment.pairs if isinstance(pair[0].config, Output)]
        apart = [distance(k.output, t.output) for k, t in ends]
        found.keras_run.forget()
        allowance.allow(found.torch, found.torch_run, found.alignment, inputs, own)
        found.torch_run.forget()
        drifts += [
            Float32Deviation("forward_eval", away, k.allowed)
            for away, (k, _) in zip(apart, ends, strict=True)
        ]
        if batch is not None:
            drifts += [
                Float32Deviation(one.rung, one.observed, one.allowed)
                for one in float32_gradients.compared(found, batch, loss, seed, layer_map)[0]
            ]
    except ParityError:
        pass
    return tuple(
        max((one for one in drifts if one.rung == rung), key=lambda one: one.share)
        for rung in dict.fromkeys(one.rung for one in drifts)
    )
