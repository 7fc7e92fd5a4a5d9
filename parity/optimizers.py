"""Optimizers by name: the values they take, their slots, and Keras's formula as a NumPy reference.

Formulas: ``tf_keras/src/optimizers/{sgd,adam}.py`` and ``keras/src/optimizers/{sgd,adam}.py``,
which agree here. w weight, g gradient, t the step's number from 1, α learning rate.

========  =============================================================================
sgd       w ← w − α·g
momentum  v ← μ·v − α·g;  w ← w + v
nesterov  v ← μ·v − α·g;  w ← w + μ·v − α·g
adam      m ← m + (g − m)(1 − β₁);  s ← s + (g² − s)(1 − β₂);
          w ← w − m · α·√(1 − β₂ᵗ)/(1 − β₁ᵗ) / (√s + ε)
========  =============================================================================

Before it, in this order, with c the largest norm and λ the weight decay:

===============  ======================================================================
clipnorm         g ← g·c / max(‖g‖, c), each tensor by itself
global_clipnorm  g ← g·c·min(1/‖all g‖, 1/c)
weight_decay     w ← w − w·λ·α, every trained tensor, biases as well
===============  ======================================================================

PyTorch parts from them in four places: its momentum buffer is not scaled by the rate (so a change
of rate acts at once on the whole buffer), its Adam adds ε after correcting s, its weight decay is
added to the gradient in all but AdamW, and ``clip_grad_norm_`` adds 1e-6 to the norm.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from parity.constants import as_float32
from parity.errors import ParityError
from parity.options import Checked, option

if TYPE_CHECKING:
    import numpy as np

SLOTS: dict[str, tuple[str, ...]] = {
    "sgd": (),
    "momentum": ("velocity",),
    "nesterov": ("velocity",),
    "adam": ("m", "v"),
}
"""Optimizer name to its canonical slots, each of the parameter's shape."""

DEFAULT_RATES = {"sgd": 0.05, "momentum": 0.02, "nesterov": 0.02, "adam": 1e-3}
"""Learning rates taken where a user names none: the frameworks' own differ, so these are ours."""


@dataclass(frozen=True, kw_only=True)
class OptimizerSpec(Checked):
    """An optimizer with every value explicit. Values that its formula lacks are not used."""

    name: str = option("adam", help="optimizer", kind=str, choices=tuple(SLOTS))
    learning_rate: float = option(1e-3, help="step size", kind=float, above=0)
    momentum: float = option(
        0.9, help="momentum, nesterov: share of the velocity kept", kind=float, above=0, below=1
    )
    beta_1: float = option(
        0.9, help="adam: share of the first moment kept", kind=float, minimum=0, below=1
    )
    beta_2: float = option(
        0.999, help="adam: share of the second moment kept", kind=float, minimum=0, below=1
    )
    epsilon: float = option(1e-7, help="adam: added to the root", kind=float, above=0)
    weight_decay: float = option(
        0.0, help="share of every weight taken off per step, times the rate", kind=float, minimum=0
    )
    clipnorm: float = option(
        0.0, help="largest norm of each tensor's gradient; 0: any", kind=float, minimum=0
    )
    global_clipnorm: float = option(
        0.0, help="largest norm of all gradients together; 0: any", kind=float, minimum=0
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.clipnorm and self.global_clipnorm:
            raise ParityError(
                f"global_clipnorm: received {self.global_clipnorm:g} with clipnorm "
                f"{self.clipnorm:g}, accepted: one of the two"
            )

    def constants(self) -> dict[str, float]:
        """Every value as both twins must use it: rounded to float32 once (see ``as_float32``)."""
        return {
            entry.name: as_float32(getattr(self, entry.name))
            for entry in dataclasses.fields(self)
            if entry.name != "name"
        }


def handed_down(spec: OptimizerSpec, a: np.ndarray, b: np.ndarray) -> float:
    """How far apart two gradients put a weight in the first step, at most over its entries.

    Adam divides by the gradient's own size: with r = √(1 − β₂) its first step moves a weight by
    α·r·g/(r·|g| + ε), whose slope is α·r·ε/(r·|g| + ε)², 316 where g is zero and values are usual.

    Args:
        spec: the optimizer.
        a: gradient, float64, any shape.
        b: the other, of the same shape.

    Returns:
        The largest entry of |a − b| times the slope at the smaller of the two.
    """
    import numpy as np

    values, away = spec.constants(), np.abs(a - b)
    if not away.size:
        return 0.0
    slope = values["learning_rate"]
    if spec.name == "adam":
        root, epsilon = math.sqrt(1 - values["beta_2"]), values["epsilon"]
        size = np.minimum(np.abs(a), np.abs(b))
        slope = slope * root * epsilon / (root * size + epsilon) ** 2
    return float((away * slope).max())


def reference_step(
    spec: OptimizerSpec,
    step: int,
    weight: np.ndarray,
    gradient: np.ndarray,
    slots: dict[str, np.ndarray],
    norm: float | None = None,
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """One step of the formulas above in plain NumPy.

    Args:
        spec: the optimizer.
        step: number of this step, from 1.
        weight: float64, any shape.
        gradient: float64, the weight's shape.
        slots: the slots before the step, by the names in :data:`SLOTS`; zeros at the first step.
        norm: of all gradients together, for ``global_clipnorm``; if None, this one is all there is.

    Returns:
        The weight and the slots after the step; the arguments are left alone.
    """
    import numpy as np

    values = spec.constants()
    rate = values["learning_rate"]
    own = float(np.sqrt((gradient**2).sum()))
    if values["clipnorm"]:
        gradient = gradient * values["clipnorm"] / max(own, values["clipnorm"])
    if values["global_clipnorm"]:
        largest = values["global_clipnorm"]
        gradient = gradient * (largest / max(own if norm is None else norm, largest))
    weight = weight - weight * values["weight_decay"] * rate
    if spec.name == "sgd":
        return weight - rate * gradient, {}
    if spec.name in ("momentum", "nesterov"):
        velocity = values["momentum"] * slots["velocity"] - rate * gradient
        moved = velocity
        if spec.name == "nesterov":
            moved = values["momentum"] * velocity - rate * gradient
        return weight + moved, {"velocity": velocity}
    beta_1, beta_2 = values["beta_1"], values["beta_2"]
    m = slots["m"] + (gradient - slots["m"]) * (1 - beta_1)
    v = slots["v"] + (gradient**2 - slots["v"]) * (1 - beta_2)
    corrected = rate * math.sqrt(1 - beta_2**step) / (1 - beta_1**step)
    return weight - m * corrected / (np.sqrt(v) + values["epsilon"]), {"m": m, "v": v}
