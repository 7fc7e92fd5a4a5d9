"""One known difference between Keras and PyTorch: what, why, how to fix it, how large it is."""

from __future__ import annotations

import math
from dataclasses import dataclass

from parity.constants import FLAVOURS
from parity.rungs import RUNGS


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A catalogue entry: one known difference between Keras and PyTorch.

    Attributes:
        id: kind and difference, as in ``batch_norm.epsilon``; never changed once published.
        kind: the section of the catalogue, such as ``dense``, ``losses`` or ``optimizers``.
        title: a few words for a table, without a full stop.
        what: what each framework computes.
        why: the reason for the difference, and where it occurs.
        to_torch: how to port a Keras model so that the difference disappears.
        to_keras: how to port a PyTorch model, if that is not the same in reverse.
        size: relative error of the port that most people write, in float64: the largest difference
            divided by the largest entry of Keras's tensor; infinite if the port raises or gives
            NaN.
        measured: the data that ``size`` was measured on; the test suite repeats the measurement.
        rung: the first rung of the ladder (:data:`parity.rungs.RUNGS`) that can show it.
        latent: whether evaluating a model with copied, trained weights never shows it.
        flavours: the versions of Keras that have it.
        source: a file of a framework, or its documentation.
        aliases: further ids of this entry, which name other kinds of layers or optimizers; a check
            reports the one that names the kind at hand.
    """

    id: str
    kind: str
    title: str
    what: str
    why: str
    to_torch: str
    to_keras: str = ""
    size: float
    measured: str
    rung: str
    latent: bool = False
    flavours: tuple[str, ...] = FLAVOURS
    source: str
    aliases: tuple[str, ...] = ()

    def sections(self) -> list[tuple[str, str]]:
        """Heading and text of each section, in reading order."""
        found = [("What", self.what), ("Why", self.why), ("Keras to PyTorch", self.to_torch)]
        if self.to_keras:
            found.append(("PyTorch to Keras", self.to_keras))
        error = f"{self.size:.1g}" if math.isfinite(self.size) else "the port raises or gives NaN"
        found.append(("Relative error", f"{error} ({self.measured})"))
        found.append(("First visible at", self._where()))
        if self.flavours != FLAVOURS:
            only = {"tf_keras": "Keras 2", "keras3": "Keras 3"}[self.flavours[0]]
            found.append(("Only in", only))
        if self.aliases:
            found.append(("Also named", ", ".join(self.aliases)))
        return [*found, ("Source", self.source)]

    def _where(self) -> str:
        hidden = "; not visible when trained weights are evaluated" if self.latent else ""
        return RUNGS[self.rung] + hidden
