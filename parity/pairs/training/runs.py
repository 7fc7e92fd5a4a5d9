"""Runs a pair in training mode: both models draw the same random numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from parity.adapters.calls import Call, leading
from parity.adapters.side import CannotRun
from parity.adapters.trainer import (
    Batch,
    KerasTrainer,
    TorchTrainer,
    TrainingRun,
    as_outputs,
    native_outputs,
)
from parity.constants import as_float32
from parity.numerics import tolerance
from parity.numerics.distance import relative_error
from parity.pairs.align.fusion import fused_run
from parity.pairs.align.match import Alignment, align
from parity.pairs.align.tensors import as_keras, input_difference
from parity.pairs.causes import batch_norm
from parity.pairs.causes.training import dropout
from parity.pairs.causes.training.dropout import NOISE, WrittenNoise, find_noise
from parity.pairs.training.match_draws import match_draws

LIMIT = tolerance.FLOAT64["forward_train"].limit
MOST_MASKS = 16
"""Masks of PyTorch's own code whose directions are tried one by one; each takes two more runs."""


@dataclass(frozen=True)
class BothRuns:
    """One run of both models in training mode.

    Attributes:
        batch: what they ran with, with the options that gradients need.
        keras: Keras's run.
        torch: PyTorch's run.
        alignment: which call belongs to which.
    """

    batch: Batch
    keras: TrainingRun
    torch: TrainingRun
    alignment: Alignment

    def output_difference(self) -> float:
        """Largest relative difference of the outputs."""
        both = zip(as_outputs(self.keras.run), as_outputs(self.torch.run), strict=False)
        return max(relative_error(expected, actual) for expected, actual in both)

    def release(self) -> None:
        """Release all arrays."""
        self.keras.run.forget()
        self.torch.run.forget()


class Runner:
    """Runs both models; a model that calls other layers from run to run is refused."""

    def __init__(
        self, k: KerasTrainer, t: TorchTrainer, flavour: str, layer_map: Mapping[str, str]
    ) -> None:
        """Take two models with losses.

        Args:
            k: Keras's.
            t: PyTorch's.
            flavour: the Keras.
            layer_map: see :func:`parity.pairs.check.check`.
        """
        self.k, self.t, self.flavour, self.layer_map = k, t, flavour, layer_map
        self._counts: dict[str, int] = {}
        self._noise: dict[int, WrittenNoise | None] = {}  # by place of a random call

    def run_alike(self, batch: Batch) -> BothRuns:
        """Run both with the same random numbers and with the constants that Keras rounds.

        Raises:
            CannotRun: a model raises, or calls other layers from run to run.
        """
        runs = self.run(batch)
        changed = self._round_constants(runs.alignment)
        calls = len(runs.keras.run.calls)
        batch = match_draws(runs.batch, runs.keras, runs.torch, runs.alignment, calls)
        if changed or batch.keras_options.names or batch.torch_options.names:
            runs = self.again(runs, batch)
        return self._with_directions(runs) if batch.torch_options.masks else runs

    def again(self, runs: BothRuns, batch: Batch) -> BothRuns:
        """Release a run, and run with other options."""
        runs.release()
        return self.run(batch, runs.alignment)

    def run(self, batch: Batch, alignment: Alignment | None = None) -> BothRuns:
        """Run both once.

        Args:
            batch: what they are called with, and the options.
            alignment: of an earlier run; None: of this one.
        """
        keras = self.k.run(batch, 0)
        keras = replace(keras, run=fused_run(keras.run))
        self._count("keras", keras)
        torch, native_layout = self._run_torch(batch, keras, {})
        calls = keras.run.calls, torch.run.calls
        found = alignment.of(keras.run, torch.run) if alignment else align(*calls, self.layer_map)
        batch = replace(
            batch,
            keras_options=replace(batch.keras_options, layouts=keras.layouts),
            torch_options=replace(
                batch.torch_options,
                layouts=torch.layouts,
                native_layout=native_layout,
                keras_shapes=tuple(one.shape for one in native_outputs(keras.run)),
            ),
        )
        return BothRuns(batch, keras, torch, found)

    def differing_pairs(self, runs: BothRuns) -> list[tuple[Call, Call]]:
        """Pairs of layers whose outputs, or inputs, differ where each hands on Keras's output.

        Layers with weights and those that draw; without weights only those that lead to a layer
        whose inputs differ.
        """
        pairs = runs.alignment.pairs
        heavy = {k.number for k, _ in pairs if k.anchor or k.layer in NOISE}
        found = self._substituted(runs, heavy)
        light: set[int] = set()
        for k, t in found:
            if input_difference(k, t) > LIMIT:
                light |= leading(k.sources, runs.keras.run.calls)
        return self._substituted(runs, heavy | light) if light - heavy else found

    def _substituted(self, runs: BothRuns, numbers: set[int]) -> list[tuple[Call, Call]]:
        pairs = [pair for pair in runs.alignment.pairs if pair[0].number in numbers]
        values = {t.number: dropout.substitute(k, t) for k, t in pairs}
        substitutes = {number: value for number, value in values.items() if value is not None}
        calls = self._run_torch(runs.batch, runs.keras, substitutes)[0].run.calls
        found = [(k, dropout.in_shape_of(k, calls[t.number])) for k, t in pairs]
        return [
            (k, t) for k, t in found if max(input_difference(k, t), output_difference(k, t)) > LIMIT
        ]

    def _run_torch(
        self, batch: Batch, keras: TrainingRun, substitutes: Mapping[int, np.ndarray]
    ) -> tuple[TrainingRun, tuple[bool, ...]]:
        """PyTorch's run, and of each output whether both have PyTorch's own layout."""
        found = self._with_noise(self.t.run(batch, 0, substitutes))
        self._count("torch", found)
        oriented = fused_run(found.run.in_layout_of(keras.run))
        return replace(found, run=oriented), found.run.native_in(keras.run)

    def _with_noise(self, found: TrainingRun) -> TrainingRun:
        """A run in which noise that PyTorch code adds by itself is a call of Keras's layer.

        It is recognised in the first run only: with an empty name there is none.
        """
        calls, random_calls = list(found.run.calls), list(found.random_calls)
        for place, numbers in found.noise.items():
            if place not in self._noise:
                self._noise[place] = find_noise(calls, random_calls[place], numbers)
            one = self._noise[place]
            random_calls[place] = -1 if one is None else one.number
            if one is not None:
                calls[one.number] = one.of(calls[one.number])
        run = replace(found.run, calls=calls)
        return replace(found, run=run, random_calls=tuple(random_calls), noise={})

    def _count(self, side: str, found: TrainingRun) -> None:
        """Refuse a model that skips layers at random.

        Raises:
            CannotRun: it called more layers at first, or fewer.
        """
        now = len(found.run.calls)
        first = self._counts.setdefault(side, now)
        if first != now:
            raise CannotRun(
                f"{side}_model: received one that calls {first} layers in training and {now} the "
                "next time, accepted: one that always calls the same, such as with a layerdrop of 0"
            )

    def _with_directions(self, runs: BothRuns) -> BothRuns:
        """PyTorch code keeps entries above a threshold, or below: what is closer to Keras's run."""
        places = [*runs.batch.torch_options.masks]
        dtype = str(as_outputs(runs.keras.run)[0].dtype)
        for descending in (frozenset(places), frozenset[int]()):
            runs = self.again(runs, _descending(runs.batch, descending))
            if runs.output_difference() <= dropout.LIMITS.get(dtype, LIMIT):
                return runs
        if len(places) > MOST_MASKS:
            return runs
        best, least = frozenset[int](), self._residual(runs)
        for place in places:
            runs = self.again(runs, _descending(runs.batch, best ^ {place}))
            residual = self._residual(runs)
            if residual < least:
                best, least = best ^ {place}, residual
        return self.again(runs, _descending(runs.batch, best))

    def _residual(self, runs: BothRuns) -> float:
        """Sum of the differences of all pairs with the same inputs, each at most 1."""
        pairs = self.differing_pairs(runs)
        return sum(min(max(input_difference(k, t), output_difference(k, t)), 1.0) for k, t in pairs)

    def _round_constants(self, alignment: Alignment) -> bool:
        """A PyTorch float that is Keras's once rounded to float32 is the same constant.

        Returns:
            Whether any was another before.
        """
        changed = False
        for k, t in alignment.pairs:
            if type(k.config) is not type(t.config):
                continue
            values: dict[str, float] = {}
            for name in ("epsilon", "negative_slope"):
                expected, actual = (getattr(one.config, name, None) for one in (k, t))
                if not (isinstance(expected, float) and isinstance(actual, float)):
                    continue
                if as_float32(expected) == as_float32(actual):
                    values[name] = expected if name == "epsilon" else as_float32(expected)
            if k.layer == "BatchNormalization":
                share = batch_norm.share(k.config, self.flavour)
                if as_float32(share) == as_float32(1.0 - t.config.momentum):
                    values["momentum"] = share
            if values:
                changed |= self.t.take(t.name, values)
        return changed


def output_difference(k: Call, t: Call) -> float:
    """Relative difference of the outputs of two calls."""
    return relative_error(k.output, as_keras(t.output, k.output, k))


def _descending(batch: Batch, places: frozenset[int]) -> Batch:
    return replace(batch, torch_options=replace(batch.torch_options, descending=places))
