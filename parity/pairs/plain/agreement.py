"""Whether a verdict agrees with what both models give when they run plainly."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from parity.pairs.plain.run import PlainRun
from parity.report.report import Report
from parity.report.wording import counted, number
from parity.verdict.result import DIFFERENT, INCONCLUSIVE, SAME

CLEARLY = 2.0
"""How many times the allowed difference shows that two comparisons are not of the same thing."""


def verified(report: Report, plain: PlainRun) -> Report:
    """The report with the plain figures; inconclusive, without causes, where they contradict it."""
    report = replace(report, plain=_data(plain))
    doubt = _contradiction(report, plain)
    if not doubt:
        return report
    return replace(report, verdict=INCONCLUSIVE, causes=(), latent=(), doubt=doubt)


def _contradiction(report: Report, plain: PlainRun) -> str:
    """What contradicts the verdict, in one sentence; empty where nothing does."""
    for name, figure, rungs in (
        ("outputs", plain.outputs, ("forward_eval",)),
        ("loss", plain.loss, ("loss",)),
        (f"weights after {counted(plain.steps, 'step')}", plain.weights, ("step", "steps")),
    ):
        if figure is None or not math.isfinite(figure.allowed):
            continue
        found = [c.observed for c in report.checks if _is_of(c.rung, c.tensor, rungs)]
        observed = max(found, default=None)
        if report.verdict == SAME and not figure.equal:
            return (
                f"The comparison found no difference, but run plainly in float32 the {name} differ "
                f"by {number(figure.observed)}, where rounding explains {number(figure.allowed)}."
            )
        first = report.first_divergence
        here = report.verdict == DIFFERENT and first is not None and first.rung in rungs
        if here and observed is not None and figure.equal and observed > CLEARLY * figure.allowed:
            return (
                f"The comparison found that the {name} differ by {number(observed)}, but run "
                f"plainly in float32 they differ by {number(figure.observed)}, which is rounding."
            )
    return ""


def _is_of(rung: str, tensor: str, rungs: tuple[str, ...]) -> bool:
    """Whether a check is of the models' outputs, of the loss, or of weights after a step."""
    return rung in rungs and (rung != "forward_eval" or tensor.split("/")[0] == "output")


def _data(plain: PlainRun) -> dict[str, Any]:
    """As :attr:`parity.report.outcome.Outcome.plain` has it."""
    named = {"outputs": plain.outputs, "loss": plain.loss, "weights": plain.weights}
    figures = {
        name: {"observed": one.observed, "allowed": one.allowed}
        for name, one in named.items()
        if one is not None
    }
    return {**figures, "steps": plain.steps, "reason": plain.reason}
