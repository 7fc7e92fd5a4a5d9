"""Compares the training of a pair: forward pass, loss, gradients, optimizer steps.

Both models draw the same random numbers for dropout. Gradients are compared from the loss back to
the first layer. To test the optimizer alone, PyTorch's gets Keras's gradients.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from parity.adapters.side import CannotRun
from parity.adapters.trainer import Batch, KerasTrainer, Key, TorchTrainer, native_outputs
from parity.constants import as_float32
from parity.errors import ParityError
from parity.numerics import tolerance
from parity.numerics.distance import relative_error
from parity.pairs.causes import loss as loss_causes
from parity.pairs.causes.gradients import Backwards
from parity.pairs.causes.graph import NOTHING
from parity.pairs.forward.float32_islands import ID
from parity.pairs.forward.setup import Pair
from parity.pairs.rounding import gradient_rounding
from parity.pairs.training import float32_islands, forward, gradients, steps
from parity.pairs.training.runs import BothRuns, Runner
from parity.pairs.training.setup import count_in
from parity.progress import Progress
from parity.verdict.model_pair import ModelPair, Observation
from parity.verdict.null_gradients import negligible
from parity.verdict.result import (
    NOT_RUN,
    UNKNOWN,
    Cause,
    Check,
    Findings,
    Proof,
    compared_rung,
    not_run,
)

LIMITS = {rung: row.limit for rung, row in tolerance.FLOAT64.items()}
Keys = list[tuple[Key, Key]]
LADDER = ("forward_train", "loss", "gradients")
"""Rungs of training before the optimizer's."""


class Training:
    """Two models with losses that are trained and compared."""

    def __init__(
        self, pair: Pair, trainers: tuple[KerasTrainer, TorchTrainer], batch: Batch, seed: int
    ) -> None:
        """Take both models over; :meth:`compare` leaves them as they were.

        Args:
            pair: both models, which have run, with the weights that are compared.
            trainers: both models with losses and optimizers.
            batch: what every step is trained with.
            seed: of the shared random numbers.
        """
        self.pair, self.batch, self.seed = pair, batch, seed
        self.k, self.t = trainers

    def compare(
        self,
        layer_map: Mapping[str, str],
        known: Iterable[str],
        count: int,
        promote: bool,
        proven: bool,
    ) -> Findings:
        """Train both and compare them rung by rung.

        Args:
            layer_map: see :func:`parity.pairs.check.check`.
            known: Keras layers that differ in evaluation already, and are not examined again.
            count: optimizer steps; 0: no optimizer.
            promote: whether Keras computes in float64 what its code computes in float32.
            proven: whether a divergence is proven already, which an error must not discard.

        Returns:
            One result for each rung; a rung that could not be run says why.

        Raises:
            ParityError: the loss or the optimizer cannot be used, and nothing is proven.
        """
        options = replace(self.batch.keras_options, promote_to_float64=promote)
        batch = replace(self.batch, keras_options=options)
        runner = Runner(self.k, self.t, self.pair.keras.flavour, layer_map)
        stepped = steps_of(count)
        with Progress("training", 3 if stepped else 2) as progress:
            try:
                found, runs = forward.compare(runner, batch, self.seed, known)
            except ParityError as error:
                return _not_run(error, (*LADDER, *stepped), proven)
            finally:
                self._restart()
            progress.advance("forward")
            proven = proven or bool(found.divergences)
            keys = self._keys(runs)
            try:
                found += self._loss_and_gradients(runs, keys, found)
            except ParityError as error:
                return found + _not_run(error, (*LADDER[1:], *stepped), proven)
            finally:
                self._restart()
            progress.advance("gradients")
            if stepped:
                found += self._steps(runs, keys, found, count, proven)
                progress.advance("steps")
        return found

    def _restart(self) -> None:
        self.k.start()
        self.t.start()

    def _loss_and_gradients(self, runs: BothRuns, keys: Keys, before: Findings) -> Findings:
        """Loss, then gradients of every weight that both have, from the loss back."""
        for call in (*runs.keras.run.calls, *runs.torch.run.calls):
            if call.layer != "BatchNormalization":  # whose statistics are compared after a step
                call.forget()
        self.pair.keras.forget()
        self.pair.torch.forget()
        parts = gradients.parts(keys, self.k.weights())
        change = float32_islands.change(self.k, runs.batch, parts)
        if change > tolerance.ROUNDING_MAX:
            return not_run(
                LADDER[1:],
                f"{ID}: Keras's model computes in float32; in float64 its loss and "
                f"gradients differ by {change:.1g}, which is more than rounding explains",
            )
        rounding = gradient_rounding(self.pair.torch, self.t, runs.batch, keys)
        found = gradients.compare(self.k, self.t, runs.batch, parts, rounding)
        loss = self._loss(runs, found.losses, bool(before.divergences))
        if loss.divergences or before.divergences:
            which = "losses" if loss.divergences else "outputs in training mode"
            return loss + not_run(LADDER[2:], f"the {which} differ")
        return loss + self._gradients(runs.batch, keys, found)

    def _loss(self, runs: BothRuns, losses: tuple[float, float], diverged: bool) -> Findings:
        """Keras's loss and PyTorch's: of the same outputs, then with penalties.

        Args:
            runs: both models' run in training mode.
            losses: of both as they ran, Keras's with penalties.
            diverged: whether the outputs differ, so that penalties cannot be compared.
        """
        # Without penalties. Behind a softmax Keras may compute it from the logits.
        penalty = self.k.penalty()
        outputs = native_outputs(runs.keras.run)
        expected, as_it_ran = losses[0] - penalty, losses[1]
        actual = self.t.loss_of(outputs, runs.batch)
        if self.t.loss_shape:
            return self._not_reduced(expected, actual)
        observed = relative_error(expected, actual)
        smaller = min(observed, relative_error(expected, as_it_ran))
        check = _loss_check(expected, actual if observed == smaller else as_it_ran)
        if not check.ok:
            if len(outputs) > 1 or len(runs.batch.targets) > 1:
                proof = Proof(observed, observed)
                causes = [Cause(UNKNOWN, "loss", expected, actual, proof, "loss")]
            else:
                causes = self._loss_causes(runs, outputs[0], expected, actual)
        else:
            with_penalties = _loss_check(*losses)
            if with_penalties.ok or diverged:
                return Findings((compared_rung("loss", [check]),), checks=(check,))
            check = with_penalties
            causes = [self._penalty_cause(losses, check.observed)]
        return Findings((compared_rung("loss", [check]),), tuple(causes), checks=(check,))

    def _not_reduced(self, expected: float, mean: float) -> Findings:
        """PyTorch's loss is not a number, and has no gradient; with the mean of its entries."""
        check = _loss_check(expected, float("inf"))
        shape = f"none: shape {self.t.loss_shape}"
        proof = Proof(float("inf"), relative_error(expected, mean))
        cause = Cause("loss.reduction", "loss", "a number", shape, proof, "loss")
        return Findings((compared_rung("loss", [check]),), (cause,), checks=(check,))

    def _loss_causes(
        self, runs: BothRuns, outputs: np.ndarray, expected: float, actual: float
    ) -> list[Cause]:
        """Why the losses of the same outputs differ; with other targets as further evidence."""
        targets = runs.batch.targets[0]
        before = relative_error(expected, actual)
        if targets.size == outputs.size and targets.shape != outputs.shape:
            shaped = replace(runs.batch, targets=[targets.reshape(outputs.shape)])
            after = relative_error(expected, self.t.loss_of([outputs], shaped))
            if after <= LIMITS["loss"]:
                shapes = f"targets {outputs.shape}", f"targets {targets.shape}, broadcast"
                return [Cause("loss.target_shape", "loss", *shapes, Proof(before, after), "loss")]
        probes = [(targets, outputs, expected, actual)]
        for shift in (1, len(outputs) // 2):
            shifted = replace(runs.batch, targets=[np.roll(targets, shift, 0)])
            total, _ = self.k.gradients(shifted, 0)
            values = total - self.k.penalty(), self.t.loss_of([outputs], shifted)
            probes.append((shifted.targets[0], outputs, *values))
        self.k.start()
        settings = self.k.loss_settings
        smoothing = float(settings.values.get("label_smoothing", 0.0)) if settings else 0.0
        smoothings = (smoothing, as_float32(smoothing), 0.1)
        weights = self.t.class_weights()
        return loss_causes.causes_of(probes, smoothings, LIMITS["loss"], weights)

    def _penalty_cause(self, losses: tuple[float, float], before: float) -> Cause:
        """Keras adds penalties on weights to the loss; PyTorch's loss has to do it itself."""
        penalty = self.k.penalty()
        after = relative_error(losses[0], losses[1] + penalty)
        if not penalty or after > LIMITS["loss"]:
            return Cause(UNKNOWN, "loss", *losses, Proof(before, before), "loss")
        name, factors = _penalties(self.k.penalties())
        return Cause(name, "loss", factors, NOTHING, Proof(before, after), "loss")

    def _gradients(self, batch: Batch, keys: Keys, found: gradients.Compared) -> Findings:
        null = negligible(*found.sizes, keys)
        checks = [
            found.observed.judged(gradients.observation(key, other))
            for key, other in reversed(keys)
            if key not in null and (key in found.sizes[0] or other in found.sizes[1])
        ]
        divergences = [one for one in checks if not one.ok]
        causes: list[Cause] = []
        if divergences:
            _, expected = self.k.gradients(batch, 0)
            causes = Backwards(self.pair.torch, self.k, self.t, batch, keys, expected).causes(
                divergences
            )
        return Findings((compared_rung("gradients", checks),), tuple(causes), checks=tuple(checks))

    def _keys(self, runs: BothRuns) -> Keys:
        """Weights that both have, by Keras's and PyTorch's keys, in Keras's order."""
        unowned = count_in(self.pair.keras, self.pair.torch, self.k, self.t, runs.alignment)
        return [*unowned, *runs.alignment.weights()]

    def _steps(
        self, runs: BothRuns, keys: Keys, before: Findings, count: int, proven: bool
    ) -> Findings:
        """One optimizer step, and more."""
        names = steps_of(count)
        loss = next(one for one in before.rungs if one.name == "loss")
        if loss.status == NOT_RUN:
            return not_run(names, loss.reason)
        pairs = {k.name: (k, t) for k, t in runs.alignment.pairs}
        explained = {cause.layer for cause in before.causes}
        flavour, diverged = self.pair.keras.flavour, bool(before.divergences)
        try:
            return steps.compare(
                self.k, self.t, runs.batch, keys, pairs, explained, count, flavour, diverged
            )
        except ParityError as error:
            return _not_run(error, names, proven or diverged)
        finally:
            self._restart()


def _loss_check(expected: float, actual: float) -> Check:
    one = Observation("loss", "loss", "other", ("loss", "loss"))
    return ModelPair("float64").compare(one, np.asarray(expected), np.asarray(actual))


def steps_of(count: int) -> tuple[str, ...]:
    """The rungs of ``count`` optimizer steps."""
    return ("step", "steps")[: min(count, 2)]


def _not_run(error: ParityError, rungs: tuple[str, ...], proven: bool) -> Findings:
    """Rungs that an error kept from being run; the error where it is wrong use and all there is."""
    if not (proven or isinstance(error, CannotRun)):
        raise error
    return not_run(rungs, str(error))


def _penalties(penalties: Mapping[str, Mapping[str, Any]]) -> tuple[str, str]:
    """The catalogue's id, and the factors with what they are on."""
    where: dict[str, list[str]] = {}
    for place, config in penalties.items():
        factors = [
            f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in config.items()
            if value
        ]
        if factors:
            where.setdefault(", ".join(factors), []).append(place)
    squares = where and all(
        factors.startswith("l2 ") and not any(one.endswith(".activity") for one in places)
        for factors, places in where.items()
    )
    text = "; ".join(
        f"{factors} on {places[0]}" + (f", {len(places) - 1} more" if places[1:] else "")
        for factors, places in where.items()
    )
    return "l2.factor" if squares else "penalty.missing", text
