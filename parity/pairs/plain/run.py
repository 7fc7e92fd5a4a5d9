"""Runs both models plainly in float32: with their own code, with nothing watched or patched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from parity.adapters.plain import PlainTraining
from parity.adapters.trainer import Batch, KerasTrainer, Key, TorchTrainer
from parity.numerics import random, tolerance
from parity.numerics.distance import relative_error
from parity.pairs.forward.setup import Pair


@dataclass(frozen=True)
class PlainFigure:
    """How much both models differ in one quantity in float32.

    Attributes:
        observed: relative difference.
        allowed: what rounding explains: a multiple of the effect of one ulp in the weights.
    """

    observed: float
    allowed: float

    @property
    def equal(self) -> bool:
        """Whether rounding explains the difference."""
        return self.observed <= self.allowed


@dataclass(frozen=True)
class PlainRun:
    """Both models as their owners run them.

    Attributes:
        outputs: in evaluation mode.
        loss: before the first step, with random layers' rates at 0; None where it was not run.
        weights: after ``steps`` optimizer steps; likewise.
        steps: of the optimizer; fewer than asked for where rounding decides the later ones.
        reason: why training was not run; empty otherwise.
    """

    outputs: PlainFigure
    loss: PlainFigure | None = None
    weights: PlainFigure | None = None
    steps: int = 0
    reason: str = ""


def outputs(pair: Pair) -> PlainFigure:
    """The difference of both models' outputs in evaluation mode.

    Args:
        pair: both models in float32, with the same weights; they have run.
    """
    keras, torch = _plain_outputs(pair)
    observed = _largest(keras, torch)
    allowed = tolerance.ROUNDING_MAX
    if allowed < observed < np.inf:
        moved = 0.0
        for _ in _neighbours(pair):
            moved = max(moved, _finite(_largest(torch, _plain_outputs(pair)[1])))
        allowed = max(allowed, tolerance.ENSEMBLE_MULTIPLE * moved)
    return PlainFigure(observed, allowed)


def training(
    pair: Pair,
    trainers: tuple[KerasTrainer, TorchTrainer],
    batch: Batch,
    keys: Sequence[tuple[Key, Key]],
    steps: int,
) -> tuple[PlainFigure, PlainFigure | None, int, str]:
    """Loss and weights of both models after some steps.

    Args:
        pair: both models in float32, with the same weights; they have run.
        trainers: of both.
        batch: of every step.
        keys: weights that both have, by their keys in Keras and in PyTorch.
        steps: of the optimizer; 0: none.

    Returns:
        The figure of the loss, of the weights, the number of steps that the latter is of, and why
        they cannot be compared, if so.

    Raises:
        CannotRun: a model cannot be trained.
    """
    k, t = trainers
    keras, torch = k.plain(batch, steps), t.plain(batch, steps)
    loss = relative_error(keras.losses[0], torch.losses[0])
    if torch.random:
        return PlainFigure(loss, np.inf), None, 0, "PyTorch's code draws random numbers by itself"

    def observed(name: str) -> float:
        return max(
            (relative_error(getattr(keras, name)[a], getattr(torch, name)[b]) for a, b in keys),
            default=0.0,
        )

    sizes = loss, observed("first"), observed("last")
    moved = [0.0, 0.0, 0.0]
    limits = [tolerance.ROUNDING_MAX, tolerance.PLAIN_WEIGHTS, tolerance.PLAIN_WEIGHTS]
    for side, trainer, before in ((1, t, torch), (0, k, keras)):  # Keras's only where it decides
        if all(one <= limit for one, limit in zip(sizes, limits, strict=True)):
            break
        for _ in _neighbours(pair, side):
            changed = _moved(before, trainer.plain(batch, steps), [one[side] for one in keys])
            moved = [max(a, _finite(b)) for a, b in zip(moved, changed, strict=True)]
        explained = (tolerance.ENSEMBLE_MULTIPLE * one for one in moved)
        limits = [max(a, b) for a, b in zip(limits, explained, strict=True)]
    figures = [PlainFigure(one, limit) for one, limit in zip(sizes, limits, strict=True)]
    chaotic = moved[2] > tolerance.SATURATED
    weights = figures[1 if chaotic else 2] if steps else None
    return figures[0], weights, 1 if chaotic and steps else steps, ""


def _moved(before: PlainTraining, after: PlainTraining, keys: Sequence[Key]) -> Iterator[float]:
    """How much loss, first and last weights of a model differ from its own."""
    yield relative_error(before.losses[0], after.losses[0])
    for name in ("first", "last"):
        a, b = getattr(before, name), getattr(after, name)
        yield max((relative_error(a[key], b[key]) for key in keys), default=0.0)


def _plain_outputs(pair: Pair) -> tuple[list[np.ndarray], list[np.ndarray]]:
    keras = pair.keras.plain(pair.inputs)
    torch = pair.torch.plain(pair.inputs, pair.torch_inputs).in_layout_of(keras)
    return [*keras.outputs.values()], [*torch.outputs.values()]


def _largest(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> float:
    return max((relative_error(a, b) for a, b in zip(first, second, strict=False)), default=0.0)


def _finite(value: float) -> float:
    return value if np.isfinite(value) else 0.0


def _neighbours(pair: Pair, side: int = 1) -> Iterator[None]:
    """A model's weights are one ulp away, once per member; afterwards they are as before.

    Args:
        pair: both models.
        side: 0: Keras's, 1: PyTorch's.
    """
    model = (pair.keras, pair.torch)[side]
    heavy = [one[side] for one in pair.alignment.pairs if one[side].weights]
    first = [{name: value.copy() for name, value in one.weights.items()} for one in heavy]
    try:
        for member in range(tolerance.ENSEMBLE):
            for call, values in zip(heavy, first, strict=True):
                named = {f"{call.name}/{name}": value for name, value in values.items()}
                near = random.ulp_neighbour(named, 0, member)
                changed = {key[len(call.name) + 1 :]: one for key, one in near.items()}
                model.set_weights(call.name, changed)
            yield
    finally:
        for call, values in zip(heavy, first, strict=True):
            model.set_weights(call.name, values)
