"""What rounding explains: tolerances for outputs in float32, and for gradients in both dtypes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from parity.adapters.calls import Call
from parity.adapters.side import Side
from parity.adapters.trainer import UNOWNED, Batch, Gradients, Key, TorchTrainer, Trainer
from parity.errors import ParityError
from parity.numerics import random, tolerance
from parity.numerics.distance import largest_entry, relative_error
from parity.pairs.forward.setup import Pair

LIMIT = tolerance.FLOAT64["gradients"].limit
MOST = tolerance.FLOAT64["training"].limit
"""The most that rounding may ever explain in float64: the policy's last rung, below any fault."""

Keys = tuple[Key, Key]
"""A weight that both have, by its key in Keras and in PyTorch."""


def output_limits(pair: Pair) -> dict[int, float]:
    """The tolerance of each pair's output in float32: a multiple of the effect of one ulp.

    Args:
        pair: both models, which have run; PyTorch's weights are changed and restored.

    Returns:
        By number of the Keras call.
    """
    torch, run = pair.torch, pair.torch_run
    heavy = [t for _, t in pair.alignment.pairs if t.weights]
    first = [{name: value.copy() for name, value in t.weights.items()} for t in heavy]
    effect = [0.0] * len(run.calls)
    for member in range(tolerance.ENSEMBLE):
        for t, values in zip(heavy, first, strict=True):
            named = {f"{t.name}/{name}": value for name, value in values.items()}
            near = random.ulp_neighbour(named, 0, member)
            torch.set_weights(t.name, {key[len(t.name) + 1 :]: one for key, one in near.items()})
        changed = torch.run(pair.inputs, pair.torch_inputs).in_layout_of(run)
        changed = changed.with_outputs(changed.calls)
        for place, (call, other) in enumerate(zip(run.calls, changed.calls, strict=False)):
            difference = relative_error(call.output, other.output)
            if np.isfinite(difference):  # NaN explains nothing
                effect[place] = max(effect[place], difference)
        changed.forget()
    for t, values in zip(heavy, first, strict=True):
        torch.set_weights(t.name, values)
    return {
        k.number: max(tolerance.ROUNDING_MAX, tolerance.ENSEMBLE_MULTIPLE * effect[t.number])
        for k, t in pair.alignment.pairs
    }


def with_output_limits(pair: Pair) -> Pair:
    """The pair with these tolerances."""
    limits = output_limits(pair)

    def limited(call: Call) -> Call:
        return replace(call, allowed=limits.get(call.number, call.allowed))

    run = replace(pair.keras_run, calls=[limited(call) for call in pair.keras_run.calls])
    return replace(pair, keras_run=run, alignment=pair.alignment.of(run, pair.torch_run))


def gradients_allowed(
    side: Side, trainer: Trainer, batch: Batch, least: float, dtype: str = "float64"
) -> dict[Key, float]:
    """The tolerance of each gradient: a multiple of the effect of one ulp in the weights.

    Batch norm over few values divides by a small difference, which magnifies the rounding before
    it. In float64 never more than :data:`MOST`, which is below the smallest semantic fault.

    Args:
        side: either model, as it was at first; it ends so.
        trainer: its trainer.
        batch: what the gradients are of.
        least: the smallest tolerance.
        dtype: of the side.
    """

    def gradients() -> Gradients:
        found = trainer.gradients(batch, 0)[1]
        trainer.start()
        return found

    trainer.keep()
    reference = gradients()
    effect = dict.fromkeys(reference, 0.0)
    for member in range(tolerance.ENSEMBLE):
        for (layer, name), value in trainer.weights().items():
            key = f"{layer}/{name}"
            near = random.ulp_neighbour({key: value}, 0, member, dtype)
            if name == UNOWNED:
                side.set_unowned_parameters({layer: near[key]})
                continue
            with contextlib.suppress(ParityError):  # a weight that is computed from others
                side.set_weights(layer, {name: near[key]})
        for one, changed in gradients().items():
            difference = relative_error(reference[one], changed)
            if np.isfinite(difference):  # NaN explains nothing
                effect[one] = max(effect[one], difference)
    most = MOST if dtype == "float64" else np.inf
    return {
        key: max(least, min(tolerance.ENSEMBLE_MULTIPLE * one, most)) for key, one in effect.items()
    }


def sizes_of(gradients: Gradients) -> dict[Key, float]:
    """The largest entry of each."""
    return {key: largest_entry(one) for key, one in gradients.items()}


def negligible(
    keras: Mapping[Key, float], torch: Mapping[Key, float], keys: Sequence[Keys]
) -> set[Key]:
    """Weights, by their keys in Keras, whose gradient is mere rounding on both sides.

    Args:
        keras: the largest entry of each of Keras's gradients.
        torch: likewise of PyTorch's.
        keys: weights that both have.
    """
    by_keras_key = {k: torch[t] for k, t in keys if t in torch}
    sides = [
        tolerance.negligible_gradients({"\0".join(key): size for key, size in side.items()})
        for side in (keras, by_keras_key)
    ]
    return {key for key, _ in keys if all("\0".join(key) in side for side in sides)}


def limits(torch: Side, t: TorchTrainer, batch: Batch) -> Callable[[Key, float], float]:
    """The tolerance for a gradient, by its key in PyTorch and its difference, for the model as is.

    The effect of rounding is measured once, and only where it decides.

    Args:
        torch: the PyTorch side, its weights as they are compared.
        t: its trainer.
        batch: what the gradients are of.
    """
    allowed: dict[Key, float] = {}

    def limit_of(key: Key, difference: float) -> float:
        if LIMIT < difference <= MOST and not allowed:
            t.start()
            allowed.update(gradients_allowed(torch, t, batch, LIMIT))
        return allowed.get(key, LIMIT)

    return limit_of
