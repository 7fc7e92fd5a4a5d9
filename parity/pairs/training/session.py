"""Compares the training of a pair: forward pass, loss, gradients, optimizer steps.

Both models draw the same random numbers for dropout. Gradients are compared from the loss back to
the first layer. To test the optimizer alone, PyTorch's gets Keras's gradients.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from parity.adapters.side import CannotRun
from parity.adapters.trainer import Batch, KerasTrainer, Key, TorchTrainer
from parity.errors import ParityError
from parity.numerics import tolerance
from parity.numerics.distance import largest_entry
from parity.pairs.causes.training.gradients import Backwards
from parity.pairs.forward.float32_islands import ID
from parity.pairs.forward.setup import Pair
from parity.pairs.rounding import gradient_rounding
from parity.pairs.training import float32_islands, forward, gradients, steps
from parity.pairs.training.loss import PENALTIES, Losses
from parity.pairs.training.runs import BothRuns, Runner
from parity.pairs.training.setup import count_in
from parity.progress import Progress
from parity.verdict.null_gradients import negligible
from parity.verdict.result import (
    NOT_RUN,
    Cause,
    Findings,
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
                found += self._loss_and_gradients(runs, keys, found, count)
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

    def _loss_and_gradients(
        self, runs: BothRuns, keys: Keys, before: Findings, count: int
    ) -> Findings:
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
        rounding = gradient_rounding(self.t, runs.batch, keys)
        found = gradients.compare(self.k, self.t, runs.batch, parts, rounding)
        losses = Losses(self.k, self.t, runs)
        loss = losses.compare(found.losses, bool(before.divergences))
        ported = self._as_weight_decay(runs, keys, loss, count)
        if ported is not None:
            options = replace(runs.batch.keras_options, without_penalties=True)
            batch = replace(runs.batch, keras_options=options)
            found = gradients.compare(self.k, self.t, batch, parts, rounding)
            return ported + self._gradients(batch, keys, found, losses)
        if loss.divergences or before.divergences:
            which = "losses" if loss.divergences else "outputs in training mode"
            return loss + not_run(LADDER[2:], f"the {which} differ")
        return loss + self._gradients(runs.batch, keys, found, losses)

    def _as_weight_decay(
        self, runs: BothRuns, keys: Keys, loss: Findings, count: int
    ) -> Findings | None:
        """The loss as passed where PyTorch's optimizer does what Keras's penalties do.

        Losses then differ by the penalties alone, and both models get the same weights.
        """
        penalties = [one for one in loss.causes if one.id in PENALTIES]
        if not penalties or not count:
            return None
        pairs = {k.name: (k, t) for k, t in runs.alignment.pairs}
        checks = steps.with_own_gradients(
            self.k, self.t, runs.batch, keys, steps.floors(pairs), count
        )
        self._restart()
        if max(one.observed for one in checks) > tolerance.MOST_ROUNDING:
            return None
        rung = compared_rung("loss", loss.checks[:1])
        note = (
            f"Keras's loss contains penalties on weights ({penalties[0].keras}), which PyTorch's "
            "optimizer applies as weight decay: the updates are the same, the losses that both "
            "report are not. Losses and gradients are compared without the penalties."
        )
        return Findings((rung,), notes=(note,), checks=loss.checks[:1], without_penalties=True)

    def _gradients(
        self, batch: Batch, keys: Keys, found: gradients.Compared, losses: Losses
    ) -> Findings:
        null = negligible(*found.sizes, keys) | self._zero_gradients(keys, found, losses)
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

    def _zero_gradients(
        self, keys: Keys, found: gradients.Compared, losses: Losses
    ) -> frozenset[Key]:
        """Every weight, if all gradients are zero except for rounding; else none.

        A weight that is changed by its own size then changes no example's loss.
        """
        effect = max(max(one.values(), default=0.0) for one in found.sizes)
        if not effect <= tolerance.ROUNDING_MAX:
            return frozenset()
        weights = self.k.weights()
        effect *= max((largest_entry(weights[key]) for key, _ in keys), default=0.0)
        if effect > tolerance.FLOAT64["loss"].limit * losses.scale():
            return frozenset()
        return frozenset(key for key, _ in keys)

    def _keys(self, runs: BothRuns) -> Keys:
        """Weights that both have, by Keras's and PyTorch's keys, in Keras's order."""
        unowned = count_in(self.pair, self.k, self.t, runs.alignment)
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
            shared = not before.without_penalties
            both = self.k, self.t, runs.batch, keys, pairs
            return steps.compare(*both, explained, count, flavour, diverged, shared)
        except ParityError as error:
            return _not_run(error, names, proven or diverged)
        finally:
            self._restart()


def steps_of(count: int) -> tuple[str, ...]:
    """The rungs of ``count`` optimizer steps."""
    return ("step", "steps")[: min(count, 2)]


def _not_run(error: ParityError, rungs: tuple[str, ...], proven: bool) -> Findings:
    """Rungs that an error kept from being run; the error where it is wrong use and all there is."""
    if not (proven or isinstance(error, CannotRun)):
        raise error
    return not_run(rungs, str(error))
