"""The contents of a report on one pair of models, in no output format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from parity.verdict.result import (
    DIFFERENT,
    FAILED,
    INCONCLUSIVE,
    SAME,
    Cause,
    Check,
    Float32Deviation,
    LayerComparison,
    Rung,
)


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """How a report was made.

    Attributes:
        command: the words of the command line, or ``parity.check``.
        versions: package to version, Python among them; several are joined by "and".
        seed: of the shared random draws.
        weights: the direction of the weight transfer: ``keras`` to PyTorch, ``torch`` to Keras,
            ``as-is`` where none are copied, ``spec`` where both sides start from the spec's.
    """

    command: tuple[str, ...] = ("parity.check",)
    versions: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    weights: str = "keras"


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What one side measured.

    Attributes:
        side: its name.
        parameters: number of entries of all parameters, as the framework counts them.
        trainable: number of entries that it trains.
        accuracy: on the test set, after the ladder's last step, 0 to 1; None where not measured.
        step: median seconds of an optimizer step in float32; None where not measured.
        peak_memory: bytes of resident memory of the process.
    """

    side: str
    parameters: int
    trainable: int
    accuracy: float | None
    step: float | None
    peak_memory: int


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The verdict on one pair, and what it is based on.

    Attributes:
        verdict: ``same``, ``different``, or ``inconclusive`` where a rung could not be run.
        dtype: that decided: ``float64``; ``float32``, which is weaker, where there is no float64.
        rungs: the result of each rung, in the ladder's order.
        first_divergence: the first tensor that differs; None where none does.
        about_first_divergence: sentences about it.
        causes: why, each with its proof; ``unknown`` where no known difference explains it.
        latent: settings that differ and that these inputs do not show.
        compared: every pair of layers.
        keras_only: layers without a partner.
        torch_only: modules and functions without one.
        notes: sentences about what was done and what could not be done.
        steps: of the optimizer, at most.
        float32: how much float32 differs, by rung; only where float64 decided.
        name: of the model, or of the file with the pair; may be empty.
        sides: what to call the two; the first is the reference.
        plain: how much both models differ in float32 when they run with their own code alone:
            ``outputs``, ``loss``, ``weights``, each observed and allowed, the number of ``steps``,
            and the ``reason`` why training was not run; None where nothing was.
        doubt: why the verdict is inconclusive although rungs were compared; empty otherwise.
        figures: what each side measured; empty where nothing was.
        about_figures: what the figures mean, in one sentence.
        checks: every tensor that was compared, in the ladder's order.
        records: of two records: what only they know, as JSON data; None otherwise.
        provenance: how the report was made.
    """

    verdict: str
    dtype: str
    rungs: tuple[Rung, ...]
    first_divergence: Check | None = None
    about_first_divergence: tuple[str, ...] = ()
    causes: tuple[Cause, ...] = ()
    latent: tuple[Cause, ...] = ()
    compared: tuple[LayerComparison, ...] = ()
    keras_only: tuple[str, ...] = ()
    torch_only: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    steps: int = 0
    float32: tuple[Float32Deviation, ...] = ()
    name: str = ""
    sides: tuple[str, str] = ("Keras", "PyTorch")
    plain: Mapping[str, Any] | None = None
    doubt: str = ""
    figures: tuple[Figures, ...] = ()
    about_figures: str = ""
    checks: tuple[Check, ...] = ()
    records: Mapping[str, Any] | None = None
    provenance: Provenance = field(default_factory=Provenance)

    def failed(self, rung: str) -> bool:
        """Whether a rung failed; False where it was not run."""
        return any(one.name == rung and one.status == FAILED for one in self.rungs)

    def in_float32(self, rung: str) -> Float32Deviation | None:
        """How much float32 differs at a rung, where that was measured."""
        return next((one for one in self.float32 if one.rung == rung), None)


def overall(reports: Sequence[Outcome]) -> str:
    """The verdict on several pairs: ``different`` if one differs, ``same`` if all are the same."""
    verdicts = {one.verdict for one in reports}
    return next((one for one in (DIFFERENT, INCONCLUSIVE) if one in verdicts), SAME)


def exit_code(reports: Sequence[Outcome]) -> int:
    """The exit code of every command that reports: 0 same, 1 different, 3 inconclusive."""
    return {SAME: 0, DIFFERENT: 1, INCONCLUSIVE: 3}[overall(reports)]
