"""The effect of rounding on a pair's outputs and gradients, measured by an ensemble."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from parity import rungs
from parity.adapters.calls import Call, Run
from parity.adapters.trainer import Batch, Gradients, Key, TorchTrainer, Trainer
from parity.errors import ParityError
from parity.numerics import random, tolerance
from parity.numerics.distance import distance, relative_error
from parity.pairs.forward.setup import Pair


def output_limits(pair: Pair) -> dict[int, float]:
    """The tolerance of each pair's output in float32: a multiple of the effect of one ulp.

    Args:
        pair: both models, which have run; PyTorch's weights are changed and restored.

    Returns:
        By number of the Keras call.
    """
    run = pair.torch_run
    effect = [0.0] * len(run.calls)
    for changed in _neighbours(pair):
        changed = changed.with_outputs(changed.calls)
        for place, (call, other) in enumerate(zip(run.calls, changed.calls, strict=False)):
            difference = relative_error(call.output, other.output)
            if np.isfinite(difference):  # NaN explains nothing
                effect[place] = max(effect[place], difference)
    return {
        k.number: max(tolerance.ROUNDING_MAX, tolerance.ENSEMBLE_MULTIPLE * effect[t.number])
        for k, t in pair.alignment.pairs
    }


def _neighbours(pair: Pair) -> Iterator[Run]:
    """PyTorch's run with its weights one ulp away, once per member of the ensemble."""
    torch = pair.torch
    heavy = [t for _, t in pair.alignment.pairs if t.weights]
    first = [{name: value.copy() for name, value in t.weights.items()} for t in heavy]
    for member in range(tolerance.ENSEMBLE):
        for t, values in zip(heavy, first, strict=True):
            named = {f"{t.name}/{name}": value for name, value in values.items()}
            near = random.ulp_neighbour(named, 0, member)
            torch.set_weights(t.name, {key[len(t.name) + 1 :]: one for key, one in near.items()})
        changed = torch.run(pair.inputs, pair.torch_inputs).in_layout_of(pair.torch_run)
        yield changed
        changed.forget()
    for t, values in zip(heavy, first, strict=True):
        torch.set_weights(t.name, values)


def with_output_limits(pair: Pair) -> Pair:
    """The pair with these tolerances."""
    limits = output_limits(pair)

    def limited(call: Call) -> Call:
        return replace(call, allowed=limits.get(call.number, call.allowed))

    run = replace(pair.keras_run, calls=[limited(call) for call in pair.keras_run.calls])
    return replace(pair, keras_run=run, alignment=pair.alignment.of(run, pair.torch_run))


def output_rounding(
    pair: Pair, outputs: Sequence[tuple[Call, Call]]
) -> Callable[[str], tuple[float, float]]:
    """What :meth:`parity.verdict.pair.Pair.rounding` gives for the models' outputs in float32.

    Args:
        pair: both models in float32, which have run; PyTorch's weights are changed and restored.
        outputs: of the models, whose arrays are not released.
    """
    effect = {k.name: 0.0 for k, _ in outputs}
    for changed in _neighbours(pair):
        for (k, t), other in zip(outputs, changed.outputs.values(), strict=True):
            difference = distance(t.output, other).rms
            if np.isfinite(difference):  # NaN explains nothing
                effect[k.name] = max(effect[k.name], difference)
    return lambda name: (effect[rungs.split(name)[2]],) * 2


def gradient_effects(trainer: Trainer, batch: Batch, dtype: str) -> dict[Key, float]:
    """The effect of one ulp in the weights on each gradient, in the gradient's unit.

    Args:
        trainer: of either model, as it was at first; it ends so.
        batch: what the gradients are of.
        dtype: of the side.

    Returns:
        The largest difference in float64, the root mean square in float32.
    """

    def gradients() -> Gradients:
        found = trainer.gradients(batch, 0)[1]
        trainer.start()
        return found

    trainer.keep()
    reference = gradients()
    effect = dict.fromkeys(reference, 0.0)
    for member in range(tolerance.ENSEMBLE):
        for key, value in trainer.weights().items():
            name = "/".join(key)
            near = random.ulp_neighbour({name: value}, 0, member, dtype)
            with contextlib.suppress(ParityError):  # a weight that is computed from others
                trainer.write(key, near[name])
        for one, changed in gradients().items():
            found = distance(reference[one], changed)
            difference = found.rms if dtype == "float32" else found.largest
            if np.isfinite(difference):  # NaN explains nothing
                effect[one] = max(effect[one], difference)
    return effect


def gradient_rounding(
    t: TorchTrainer, batch: Batch, keys: Sequence[tuple[Key, Key]]
) -> Callable[[str], tuple[float, float]]:
    """What :meth:`parity.verdict.pair.Pair.rounding` gives for gradients in float64.

    It is measured in PyTorch, once, and only when it is asked for.

    Args:
        t: PyTorch's trainer, its weights as they are compared.
        batch: what the gradients are of.
        keys: weights that both have, by their keys in Keras and in PyTorch.
    """
    by_name = {"/".join(key): other for key, other in keys}
    effects: dict[Key, float] = {}

    def rounding(name: str) -> tuple[float, float]:
        if not effects:
            t.start()
            effects.update(gradient_effects(t, batch, "float64"))
        return (effects.get(by_name[rungs.split(name)[2]], 0.0),) * 2

    return rounding
