"""The judge of float64 for two records: labels, losses of all steps, amplified gradients."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping

import numpy as np

from parity import rungs
from parity.numerics import tolerance
from parity.numerics.blocks import BLOCK, blocks
from parity.numerics.tolerance import Allowed
from parity.reference.optimizers.step import largest_gain, step_difference
from parity.specs import predictions
from parity.verdict.float64 import Float64
from parity.verdict.record_pair import RecordPair
from parity.verdict.result import Check

OF_A_NORM = 1 << 22
"""With clipping by norm: largest block of entries whose norm is used for that of the tensor."""


class RecordFloat64(Float64):
    """Judges tensors of two records."""

    pair: RecordPair

    def __init__(
        self, pair: RecordPair, null: Collection[str], overrides: Mapping[str, Allowed]
    ) -> None:
        """Use the table of tolerances.

        Args:
            pair: the records.
            null: parameters whose gradient is only rounding error.
            overrides: tolerances that replace the table's, by rung.
        """
        super().__init__(pair, overrides)
        self.null = null
        self._step_differences: dict[str, float] = {}

    def check(self, name: str) -> Check:
        """Return the check of a tensor."""
        _, rung, rest = rungs.split(name)
        if rest == "losses":
            return self._losses(name)
        if rung in ("predictions", rungs.TRAINING) and rest == "labels":
            return self._labels(name)
        if rung == "predictions" and rest == "accuracy":
            return self._accuracy(name)
        return super().check(name)

    def _near_ties(self, name: str) -> tuple[np.ndarray, Allowed]:
        """Return the examples whose label the outputs' tolerance leaves open, and the tolerance."""
        dtype, rung, _ = rungs.split(name)
        outputs = rungs.join(dtype, rung, "outputs")
        ties = np.zeros(1, bool)
        if outputs in self.pair.both and self.pair.reference.shape(outputs)[0]:
            found = self.pair.distance(outputs)
            away = self.allowed(outputs, found, in_full=True).limit * found.scale
            values = self.pair.reference.tensor(outputs)
            ties = predictions.margins(self.pair.header.spec.model, values) <= 2 * away
        reason = f"{ties.sum()} near ties, open within what the outputs are allowed"
        return ties, Allowed(0.0, reason, True) if ties.any() else tolerance.EXACT

    def _labels(self, name: str) -> Check:
        """Return the check of labels: the number that differ and are not near ties."""
        ties, allowed = self._near_ties(name)
        x, y = (record.tensor(name) for record in self.pair.records)
        settled = ~ties if len(ties) == len(x) else np.ones(len(x), bool)
        observed = int(((x != y) & settled).sum())
        return self.pair.check(name, self.pair.distance(name), observed, allowed)

    def _accuracy(self, name: str) -> Check:
        found, override = self.pair.distance(name), self.overrides.get("predictions")
        if override:
            return self.pair.check(name, found, found.relative, override)
        ties, allowed = self._near_ties(name)
        share = float(ties.mean()) / (found.scale or 1.0)
        allowed = dataclasses.replace(allowed, limit=max(share, tolerance.A_DIVISION))
        return self.pair.check(name, found, found.relative, allowed)

    def _losses(self, name: str) -> Check:
        """Return the check of every step's loss; if it fails, it states the first step."""
        found = self.pair.distance(name)
        allowed = self.allowed(name, found)
        check = self.pair.check(name, found, found.relative, allowed)
        if check.ok:
            return check
        x, y = (record.tensor(name) for record in self.pair.records)
        with np.errstate(invalid="ignore"):
            failed = ~(np.abs(x - y) / (found.scale or 1.0) <= check.allowed)
        first = int(failed.argmax())
        return dataclasses.replace(
            check, index=(first,), values=(float(x[first]), float(y[first])), step=first + 1
        )

    def amplified(self, parameter: str | None, rung: str, step: int, scale: float) -> float:
        """See :meth:`Float64.amplified`; 0 where the slow search could not exceed the table."""
        gradient, weight = self._names(parameter)
        both = self.pair.both
        if gradient not in both or weight not in both or parameter in self.null:
            return 0.0
        most = largest_gain(self.pair.header.spec.optimizer) * self.pair.distance(gradient).largest
        most += tolerance.OF_A_STEP * (self.pair.distance(weight).scale + scale)
        if min(step, tolerance.STEPS) * most <= tolerance.FLOAT64[rung].limit * scale:
            return 0.0
        return self._step_difference(gradient, weight)

    def _names(self, parameter: str | None) -> tuple[str, str]:
        """Return the names of a parameter's gradient and of its weights before the first step."""
        rest = str(parameter)
        return rungs.join("float64", "gradients", rest), rungs.join("float64", "parameters", rest)

    def _step_difference(self, gradient: str, weight: str) -> float:
        if gradient not in self._step_differences:
            found = self.pair.distance(gradient)
            fine = found.relative <= tolerance.FLOAT64["gradients"].limit
            three = (
                self.pair.reference.entries(weight),
                *(record.entries(gradient) for record in self.pair.records),
            )
            optimizer = self.pair.header.spec.optimizer
            norms = optimizer.clipnorm or optimizer.global_clipnorm
            size, block = three[0].size, OF_A_NORM if norms else BLOCK
            difference = (
                step_difference(optimizer, *arrays)
                for _, arrays in blocks(0, size, *three, block=block)
            )
            self._step_differences[gradient] = (
                max(difference, default=0.0) if fine and not any(found.not_finite) else 0.0
            )
        return self._step_differences[gradient]
