"""What a check finds: divergences, causes with proof, compared layers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Proof:
    """Distance between the frameworks before a change, and after it."""

    before: float
    after: float


@dataclass(frozen=True)
class Cause:
    """Why two layers differ.

    Attributes:
        id: of the catalogue where it has an entry, else kind and setting; ``unknown``.
        layer: its name in the Keras model, or in PyTorch's where only that has it.
        keras: Keras's value of the setting.
        torch: PyTorch's.
        proof: what giving PyTorch Keras's value changes; None for what no input has shown.
        rung: of the ladder, where it shows first.
    """

    id: str
    layer: str
    keras: Any
    torch: Any
    proof: Proof | None
    rung: str = "forward_eval"


@dataclass
class Training:
    """What training showed, by rung in the ladder's order.

    Attributes:
        parted: where the two part as they run; none: they are the same.
        causes: with their proofs.
        latent: settings that differ without showing.
        notes: sentences about what could not be done.
        rungs: that were compared, of the ladder.
    """

    parted: list[Divergence] = field(default_factory=list)
    causes: list[Cause] = field(default_factory=list)
    latent: list[Cause] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    rungs: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Compared:
    """One pair of layers, both fed what Keras's was fed.

    Attributes:
        keras: its name, with its class.
        torch: likewise.
        observed: how far the outputs stand apart.
        allowed: how far they may.
        as_they_ran: how far they stood apart in the models' own course.
        known: whether both are of a kind with a reference; else only inputs and outputs are.
    """

    keras: str
    torch: str
    observed: float
    allowed: float
    as_they_ran: float
    known: bool = True


@dataclass(frozen=True)
class Drift:
    """Outputs, or gradients, in float32, relative to each one's largest entry.

    Attributes:
        rung: of the ladder.
        observed: how far they stand apart, where that is the largest share of what is allowed.
        allowed: what rounding explains there: a multiple of what one ulp in the weights moves.
    """

    rung: str
    observed: float
    allowed: float

    @property
    def share(self) -> float:
        """Of what is allowed."""
        return self.observed / self.allowed


@dataclass(frozen=True)
class Divergence:
    """A tensor that differs by more than rounding explains.

    Attributes:
        rung: of the ladder.
        keras_layer: the layer's name in the Keras model; None for what only the other has.
        torch_module: the module's name in the PyTorch model; None likewise.
        tensor: which of its tensors: ``output``, ``input``, or a weight.
        observed: largest absolute difference, relative to the largest entry; inf where shapes
            differ, or which entries are finite.
        allowed: likewise, the most that would have passed.
    """

    rung: str
    keras_layer: str | None
    torch_module: str | None
    tensor: str
    observed: float
    allowed: float

    @property
    def name(self) -> str:
        """The layer's name for people."""
        return " / ".join(name for name in (self.keras_layer, self.torch_module) if name)
