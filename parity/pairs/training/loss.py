"""Compares the losses of a pair, and finds why they differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from parity.adapters.trainer import KerasTrainer, TorchTrainer, native_outputs
from parity.constants import as_float32
from parity.numerics import tolerance
from parity.numerics.distance import relative_error
from parity.pairs.causes.graph import NOTHING
from parity.pairs.causes.training import loss as loss_causes
from parity.pairs.training.runs import BothRuns
from parity.verdict.model_pair import ModelPair, Observation
from parity.verdict.result import UNKNOWN, Cause, Check, Findings, Proof, compared_rung

LIMIT = tolerance.FLOAT64["loss"].limit
PENALTIES = ("l2.factor", "penalty.missing")
"""Causes of a loss that differs by the penalties on weights alone."""


EXAMPLES = 4
"""Of the batch, whose losses are computed one by one."""


class Losses:
    """The losses of two models that have run in training mode."""

    def __init__(self, k: KerasTrainer, t: TorchTrainer, runs: BothRuns) -> None:
        """Take the run that the losses are of; both models end as they were."""
        self.k, self.t, self.runs = k, t, runs

    def compare(self, losses: tuple[float, float], diverged: bool) -> Findings:
        """Keras's loss and PyTorch's: of the same outputs, then with penalties.

        Args:
            losses: of both as they ran, Keras's with penalties.
            diverged: whether the outputs differ, so that penalties cannot be compared.
        """
        # Without penalties. Behind a softmax Keras may compute it from the logits.
        penalty = self.k.penalty()
        outputs = native_outputs(self.runs.keras.run)
        expected, as_it_ran = losses[0] - penalty, losses[1]
        actual = self.t.loss_of(outputs, self.runs.batch)
        if self.t.loss_shape:
            return self._not_reduced(expected, actual)
        observed = relative_error(expected, actual)
        smaller = min(observed, relative_error(expected, as_it_ran))
        check = self._check(expected, actual if observed == smaller else as_it_ran)
        if not check.ok:
            if len(outputs) > 1 or len(self.runs.batch.targets) > 1:
                proof = Proof(observed, observed)
                causes = [Cause(UNKNOWN, "loss", expected, actual, proof, "loss")]
            else:
                causes = self._causes(outputs[0], expected, actual)
        else:
            with_penalties = self._check(*losses)
            if with_penalties.ok or diverged:
                return Findings((compared_rung("loss", [check]),), checks=(check,))
            causes = [self._penalty_cause(losses, with_penalties.observed)]
            rung = compared_rung("loss", [with_penalties])
            return Findings((rung,), tuple(causes), checks=(check, with_penalties))
        return Findings((compared_rung("loss", [check]),), tuple(causes), checks=(check,))

    def _check(self, expected: float, actual: float) -> Check:
        pair = ModelPair("float64")
        if self.k.loss_in_float32 or self.t.loss_in_float32:
            pair.least = tolerance.LOSS_IN_FLOAT32
        one = Observation("loss", "loss", "other", ("loss", "loss"))
        check = pair.compare(one, np.asarray(expected), np.asarray(actual))
        if not check.ok and max(abs(expected), abs(actual)) <= LIMIT * self.scale():
            one = replace(one, least_scale=self.scale())
            check = pair.compare(one, np.asarray(expected), np.asarray(actual))
        return check

    def scale(self) -> float:
        """The largest loss of one example of a few: what a loss of zero is computed from."""
        batch, outputs = self.runs.batch, native_outputs(self.runs.keras.run)
        count = min(map(len, (*batch.targets, *outputs)))
        found = []
        for place in range(min(count, EXAMPLES)):
            alone = [np.repeat(one[place : place + 1], len(one), 0) for one in batch.targets]
            repeated = [np.repeat(one[place : place + 1], len(one), 0) for one in outputs]
            found.append(abs(self.t.loss_of(repeated, replace(batch, targets=alone))))
        return max((one for one in found if np.isfinite(one)), default=0.0)

    def _not_reduced(self, expected: float, mean: float) -> Findings:
        """PyTorch's loss is not a number, and has no gradient; with the mean of its entries."""
        check = self._check(expected, float("inf"))
        shape = f"none: shape {self.t.loss_shape}"
        proof = Proof(float("inf"), relative_error(expected, mean))
        cause = Cause("loss.reduction", "loss", "a number", shape, proof, "loss")
        return Findings((compared_rung("loss", [check]),), (cause,), checks=(check,))

    def _causes(self, outputs: np.ndarray, expected: float, actual: float) -> list[Cause]:
        """Why the losses of the same outputs differ; with other targets as further evidence."""
        targets = self.runs.batch.targets[0]
        before = relative_error(expected, actual)
        if targets.size == outputs.size and targets.shape != outputs.shape:
            shaped = replace(self.runs.batch, targets=[targets.reshape(outputs.shape)])
            after = relative_error(expected, self.t.loss_of([outputs], shaped))
            if after <= LIMIT:
                shapes = f"targets {outputs.shape}", f"targets {targets.shape}, broadcast"
                return [Cause("loss.target_shape", "loss", *shapes, Proof(before, after), "loss")]
        probes = [(targets, outputs, expected, actual)]
        for shift in (1, len(outputs) // 2):
            shifted = replace(self.runs.batch, targets=[np.roll(targets, shift, 0)])
            total, _ = self.k.gradients(shifted, 0)
            values = total - self.k.penalty(), self.t.loss_of([outputs], shifted)
            probes.append((shifted.targets[0], outputs, *values))
        self.k.start()
        settings = self.k.loss_settings
        smoothing = float(settings.values.get("label_smoothing", 0.0)) if settings else 0.0
        smoothings = (smoothing, as_float32(smoothing), 0.1)
        weights = self.t.class_weights()
        return loss_causes.causes_of(probes, smoothings, LIMIT, weights)

    def _penalty_cause(self, losses: tuple[float, float], before: float) -> Cause:
        """Keras adds penalties on weights to the loss; PyTorch's loss has to do it itself."""
        penalty = self.k.penalty()
        after = relative_error(losses[0], losses[1] + penalty)
        if not penalty or after > LIMIT:
            return Cause(UNKNOWN, "loss", *losses, Proof(before, before), "loss")
        name, factors = _penalties(self.k.penalties())
        return Cause(name, "loss", factors, NOTHING, Proof(before, after), "loss")


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
