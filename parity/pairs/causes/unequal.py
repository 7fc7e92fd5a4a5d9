"""Two layers whose inputs differ although everything upstream is equal."""

from __future__ import annotations

from dataclasses import dataclass

from parity.adapters.calls import Call


@dataclass(frozen=True)
class UnequalInputs:
    """Two layers whose inputs differ although everything upstream is equal.

    Attributes:
        keras: the call.
        torch: its partner, where all PyTorch layers upstream hand on Keras's outputs.
        difference: of the inputs.
        residual: difference of the outputs once both are fed Keras's inputs and the layers' own
            causes are corrected.
    """

    keras: Call
    torch: Call
    difference: float
    residual: float
