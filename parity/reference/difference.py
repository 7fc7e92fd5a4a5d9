"""What is known about one place where Keras and PyTorch part."""

from __future__ import annotations

import math
from dataclasses import dataclass

from parity.constants import FLAVOURS
from parity.rungs import RUNGS


@dataclass(frozen=True, kw_only=True)
class Difference:
    """An entry of the catalogue.

    Attributes:
        id: kind and difference, as in ``batch_norm.epsilon``; never changed once published.
        kind: the kind of layer it belongs to, or ``loss``, ``metric``, ``optimizer`` and so on.
        title: a few words for a table, without a full stop.
        what: what either framework computes.
        why: how it comes about, and who meets it.
        to_torch: how a Keras model is ported so that nothing is left.
        to_keras: how a PyTorch model is, where that is not the same thing backwards.
        size: the largest difference that the port most people write leaves, in float64 and relative
            to the largest entry of Keras's tensor; infinite where that port raises, or gives NaN.
        measured: what ``size`` was measured on; the suite measures it again.
        rung: of the ladder (:data:`parity.rungs.RUNGS`), where it shows first.
        latent: whether evaluation with trained weights copied over never shows it.
        flavours: the Kerases that have it.
        source: file of a framework, or its documentation.
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

    def sections(self) -> list[tuple[str, str]]:
        """Heading and text of all that is known, in the order of reading."""
        found = [("What", self.what), ("Why", self.why), ("Keras to PyTorch", self.to_torch)]
        if self.to_keras:
            found.append(("PyTorch to Keras", self.to_keras))
        away = f"{self.size:.1g}" if math.isfinite(self.size) else "no number at all"
        found.append(("How large", f"{away} ({self.measured})"))
        found.append(("Shows first at", self._where()))
        if self.flavours != FLAVOURS:
            only = {"tf_keras": "Keras 2", "keras3": "Keras 3"}[self.flavours[0]]
            found.append(("Only in", only))
        return [*found, ("Source", self.source)]

    def _where(self) -> str:
        hidden = "; silent when trained weights are evaluated" if self.latent else ""
        return RUNGS[self.rung] + hidden
