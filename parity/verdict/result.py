"""What a comparison of two models finds: one result per rung, divergences, causes with proof."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

UNKNOWN = "unknown"
"""Id of a cause that no known difference explains."""

PASSED, FAILED, NOT_RUN = "passed", "failed", "not run"
"""The status of a rung."""

SAME, DIFFERENT, INCONCLUSIVE = "same", "different", "inconclusive"
"""The verdicts."""


@dataclass(frozen=True)
class Proof:
    """Difference between the frameworks before a setting is changed, and after."""

    before: float
    after: float


@dataclass(frozen=True)
class Cause:
    """Why two layers differ.

    Attributes:
        id: of the catalogue where it has an entry, else kind and setting; :data:`UNKNOWN`.
        layer: its name in the Keras model, or in the PyTorch model where only that has it.
        keras: the setting's value in Keras.
        torch: its value in PyTorch.
        proof: the effect of giving PyTorch Keras's value; None where no input has shown it.
        rung: where it shows first, see :data:`parity.rungs.RUNGS`.
    """

    id: str
    layer: str
    keras: Any
    torch: Any
    proof: Proof | None
    rung: str = "forward_eval"


@dataclass(frozen=True)
class Check:
    """The comparison of one tensor of the two sides.

    The observed and the allowed difference are relative to the tensor's largest entry: the largest
    difference in float64, the RMS difference in float32. For labels and parameter counts they are
    counts (int). The difference is infinite for a tensor that cannot be compared.

    Attributes:
        dtype: of the compared tensor.
        rung: where it is computed, see :data:`parity.rungs.TITLES`.
        tensor: its name within the rung, see :mod:`parity.rungs`; of two models, the layer's name
            in Keras stands for the layer.
        observed: the difference.
        allowed: the largest difference that passes.
        index: of the entry that differs most.
        values: the entries there, of the reference and of the judged side.
        reference_dtype: dtype of the reference's entry.
        side: the judged side; the reference's own float32 is compared with its float64.
        reason: reason for the tolerance.
        override: whether the tolerance replaces the table's.
        step: of the optimizer, from 1; None where it belongs to none. For a tensor over several
            steps the first that exceeds the tolerance.
        location: of two records: the layer, or ``data``, ``loss``, ``optimizer``; may be empty.
        keras_layer: the layer's name in the Keras model; None where only PyTorch has it.
        torch_module: the module's name in the PyTorch model; None where only Keras has it.
        notes: sentences about this tensor, for people.
    """

    dtype: str
    rung: str
    tensor: str
    observed: float
    allowed: float
    index: tuple[int, ...] = ()
    values: tuple[float, float] | None = None
    reference_dtype: str = ""
    side: str = ""
    reason: str = ""
    override: bool = False
    step: int | None = None
    location: str = ""
    keras_layer: str | None = None
    torch_module: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def least(self) -> float:
        """The smallest tolerance with which the check would have passed."""
        return self.observed

    @property
    def ok(self) -> bool:
        """Whether the check passed; with a tolerance that is not finite it fails."""
        return math.isfinite(self.allowed) and self.observed <= self.allowed

    @property
    def severity(self) -> float:
        """The observed difference divided by the allowed one."""
        if self.observed == 0.0:
            return 0.0
        ratio = self.observed / self.allowed if self.allowed else math.inf
        return math.inf if math.isnan(ratio) else ratio

    @property
    def name(self) -> str:
        """Both names of the layer, for people."""
        return " / ".join(name for name in (self.keras_layer, self.torch_module) if name)


@dataclass(frozen=True)
class Rung:
    """The result of one rung.

    Attributes:
        name: see :data:`parity.rungs.RUNGS`.
        status: ``passed``, ``failed`` or ``not run``.
        findings: the tensors that differ, none unless it failed.
        reason: why it was not run, in one line; empty otherwise.
        observed: largest relative difference, of what was compared; None where nothing was.
        allowed: the tolerance of that comparison.
    """

    name: str
    status: str
    findings: tuple[Check, ...] = ()
    reason: str = ""
    observed: float | None = None
    allowed: float | None = None

    def __post_init__(self) -> None:
        if self.status not in (PASSED, FAILED, NOT_RUN):
            raise ValueError(f"status: received {self.status!r}, accepted: passed, failed, not run")
        if bool(self.reason) != (self.status == NOT_RUN):
            raise ValueError(f"{self.name}: a reason belongs to a rung that was not run")
        if bool(self.findings) != (self.status == FAILED):
            raise ValueError(f"{self.name}: findings belong to a rung that failed")


def worst(checks: Iterable[Check]) -> Check | None:
    """The check that fails by most, or is nearest to failing."""
    return max(checks, key=lambda check: (not check.ok, check.severity), default=None)


def compared_rung(name: str, checks: Sequence[Check], dtype: str = "") -> Rung:
    """The result of a rung that was compared: failed where a check failed.

    Args:
        name: of the rung.
        checks: of its tensors.
        dtype: whose difference is shown; empty: of any.
    """
    failed = tuple(one for one in checks if not one.ok)
    shown = worst(one for one in checks if dtype in ("", one.dtype))
    sizes = (shown.observed, shown.allowed) if shown else (None, None)
    return Rung(name, FAILED if failed else PASSED, failed, "", *sizes)


def verdict(rungs: Sequence[Rung]) -> str:
    """``different`` where a rung failed; else ``inconclusive`` where one was not run."""
    statuses = {one.status for one in rungs}
    return DIFFERENT if FAILED in statuses else INCONCLUSIVE if NOT_RUN in statuses else SAME


@dataclass(frozen=True)
class LayerComparison:
    """One pair of layers, as both models ran, and both given the inputs of the Keras layer.

    Attributes:
        keras: its name, with its class.
        torch: likewise.
        observed: relative difference of the outputs given the same inputs; None where that was
            not tried.
        allowed: the largest value that passes.
        as_they_ran: relative difference when both models ran on their own.
        known: whether both are of a kind with a reference; else only inputs and outputs are
            compared.
        shape: of the Keras layer's output, without the batch axis.
    """

    keras: str
    torch: str
    observed: float | None
    allowed: float
    as_they_ran: float
    known: bool = True
    shape: tuple[int, ...] = ()


@dataclass(frozen=True)
class Float32Deviation:
    """How much outputs, or gradients, differ in float32, relative to the largest entry of each.

    Attributes:
        rung: see :data:`parity.rungs.RUNGS`.
        observed: the difference that is the largest share of what is allowed.
        allowed: what rounding explains there: a multiple of the effect of one ulp in the weights.
    """

    rung: str
    observed: float
    allowed: float

    @property
    def share(self) -> float:
        """Observed as a share of allowed."""
        return self.observed / self.allowed


@dataclass(frozen=True)
class Findings:
    """What the comparison of some rungs found.

    Attributes:
        rungs: their results, in the ladder's order.
        causes: with their proofs; :data:`UNKNOWN` where no known difference explains a divergence.
        latent: settings that differ without effect on what was compared.
        notes: sentences about what was done and what could not be.
        checks: every tensor that was compared.
        without_penalties: whether losses and gradients were compared without Keras's penalties on
            weights, which PyTorch's optimizer applies as weight decay.
    """

    rungs: tuple[Rung, ...] = ()
    causes: tuple[Cause, ...] = ()
    latent: tuple[Cause, ...] = ()
    notes: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    without_penalties: bool = False

    def __add__(self, later: Findings) -> Findings:
        """These, then those of later rungs."""
        return Findings(
            self.rungs + later.rungs,
            self.causes + later.causes,
            self.latent + later.latent,
            self.notes + later.notes,
            self.checks + later.checks,
            self.without_penalties or later.without_penalties,
        )

    @property
    def divergences(self) -> tuple[Check, ...]:
        """Of all rungs, in their order."""
        return tuple(one for rung in self.rungs for one in rung.findings)

    def status(self, rung: str) -> str:
        """Of that rung; empty where it was not asked for."""
        return next((one.status for one in self.rungs if one.name == rung), "")


def not_run(rungs: Sequence[str], reason: str) -> Findings:
    """Rungs that could not be compared, and why."""
    return Findings(tuple(Rung(name, NOT_RUN, reason=reason) for name in rungs))
