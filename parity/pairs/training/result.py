"""What the training of a pair shows."""

from __future__ import annotations

from dataclasses import dataclass, field

from parity.verdict.result import Cause, Divergence


@dataclass
class Training:
    """What training showed, by rung in the ladder's order.

    Attributes:
        parted: where the two part as they run; none: they are the same.
        causes: with their proofs.
        latent: settings that differ without showing.
        notes: sentences about what could not be done.
        rungs: that were compared, of the ladder.
        missing: rungs that were not, and why.
    """

    parted: list[Divergence] = field(default_factory=list)
    causes: list[Cause] = field(default_factory=list)
    latent: list[Cause] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    rungs: list[str] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
