"""What a comparison of two models finds: one result per rung, divergences, causes with proof."""

from __future__ import annotations

from collections.abc import Sequence
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
class Divergence:
    """A tensor that differs by more than rounding explains.

    Attributes:
        rung: where, see :data:`parity.rungs.RUNGS`.
        keras_layer: the layer's name in the Keras model; None where only PyTorch has it.
        torch_module: the module's name in the PyTorch model; None where only Keras has it.
        tensor: which of its tensors: ``output``, ``input``, or a weight.
        observed: largest absolute difference relative to the largest entry; inf where the shapes
            differ, or which entries are finite.
        allowed: the largest value that would have passed.
        dtype: that it was compared in.
        location: of two records: the layer, or ``data``, ``loss``, ``optimizer``; may be empty.
        step: of the optimizer, from 1; None where it is in none, or not known.
        index: of the entry that differs most; empty where it was not recorded.
        values: the reference's entry there, and the other's.
        reason: why that much is allowed.
        notes: what else is known, for people.
    """

    rung: str
    keras_layer: str | None
    torch_module: str | None
    tensor: str
    observed: float
    allowed: float
    dtype: str = "float64"
    location: str = ""
    step: int | None = None
    index: tuple[int, ...] = ()
    values: tuple[float, float] | None = None
    reason: str = ""
    notes: tuple[str, ...] = ()

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
    findings: tuple[Divergence, ...] = ()
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


def compared_rung(
    name: str,
    findings: Sequence[Divergence] = (),
    observed: float | None = None,
    allowed: float | None = None,
) -> Rung:
    """The result of a rung that was compared: failed where there are findings."""
    if findings:
        worst = max(findings, key=lambda one: one.observed)
        observed, allowed = worst.observed, worst.allowed
    status = FAILED if findings else PASSED
    return Rung(name, status, tuple(findings), "", observed, allowed)


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
    """

    rungs: tuple[Rung, ...] = ()
    causes: tuple[Cause, ...] = ()
    latent: tuple[Cause, ...] = ()
    notes: tuple[str, ...] = ()

    def __add__(self, later: Findings) -> Findings:
        """These, then those of later rungs."""
        return Findings(
            self.rungs + later.rungs,
            self.causes + later.causes,
            self.latent + later.latent,
            self.notes + later.notes,
        )

    @property
    def divergences(self) -> tuple[Divergence, ...]:
        """Of all rungs, in their order."""
        return tuple(one for rung in self.rungs for one in rung.findings)

    def status(self, rung: str) -> str:
        """Of that rung; empty where it was not asked for."""
        return next((one.status for one in self.rungs if one.name == rung), "")


def not_run(rungs: Sequence[str], reason: str) -> Findings:
    """Rungs that could not be compared, and why."""
    return Findings(tuple(Rung(name, NOT_RUN, reason=reason) for name in rungs))
