"""Update rules that use a weight tensor as a whole: its norm, its rows and columns, its matrix.

Symbols as in :mod:`.formulas`; tensors have Keras's layout, (…, in, out) for kernels.

=========  ============================================================================
lamb       m, s as adam;  u = m/(1 − β₁ᵗ) / (√(s/(1 − β₂ᵗ)) + ε);  w ← w − α·‖w‖/‖u‖·u
adafactor  β = 1 − t^decay;  q = g² + ε₁;  r ← β·r + (1 − β)·mean of q over columns;
           c ← β·c + (1 − β)·mean of q over rows;  v = r·c / mean of r
           (vectors: v ← β·v + (1 − β)q);  u = g/√v;
           w ← w − max(ε₂, rms w)·min(α, 1/√t) · u / max(1, rms u / d)
muon       m ← μ·m + g;  h = g + μ·m (Nesterov), or m;
           w ← w − α·NS(h)·√(largest side)·rms_rate, where NS makes h about orthogonal
=========  ============================================================================

Sources: ``keras/src/optimizers/{lamb,adafactor,muon}.py``,
``tf_keras/src/optimizers/adafactor.py``.
"""

from __future__ import annotations

import math

import numpy as np

from parity.reference.optimizers.moments import After, Slots, Values, moments

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients a, b, c of Muon's iteration x ← a·x + (b·A + c·A²)x, A = x·xᵀ."""

NORM_EPSILON = 1e-7
"""Added to the norm that Muon's iteration divides by first."""


def lamb(c: Values, step: int, w: np.ndarray, g: np.ndarray, s: Slots) -> After:
    """Adam's update, as long as the weight times the rate."""
    found = moments(c, g, s)
    root = np.sqrt(found["v"] / (1 - c["beta_2"] ** step)) + c["epsilon"]
    u = found["m"] / (1 - c["beta_1"] ** step) / root
    lengths = np.sqrt((w**2).sum()), np.sqrt((u**2).sum())
    ratio = lengths[0] / lengths[1] if all(lengths) else 1.0
    return w - ratio * c["learning_rate"] * u, found


def adafactor(c: Values, step: int, w: np.ndarray, g: np.ndarray, s: Slots) -> After:
    """Adam's second moment, factored into rows and columns; no first moment."""

    def mixed(slot: str, value: np.ndarray) -> np.ndarray:
        kept = 1 - step ** c["beta_2_decay"]
        return np.asarray(kept * s.get(slot, 0.0) + (1 - kept) * value)

    square = g**2 + c["epsilon_1"]
    if w.ndim < 2:
        found = {"v": mixed("v", square)}
        v = found["v"]
    else:
        found = {"r": mixed("r", square.mean(-1)), "c": mixed("c", square.mean(-2))}
        rows = found["r"] / found["r"].mean(-1, keepdims=True)
        v = rows[..., None] * found["c"][..., None, :]
    u = g / np.sqrt(v)
    u = u / max(1.0, _rms(u) / c["clip_threshold"])
    rate = max(c["epsilon_2"], _rms(w)) * min(c["learning_rate"], 1 / math.sqrt(step))
    return w - rate * u, found


def muon(c: Values, step: int, w: np.ndarray, g: np.ndarray, s: Slots) -> After:
    """Momentum, made orthogonal; for matrices, all other weights are updated as by adam."""
    m = np.asarray(c["momentum"] * s.get("m", 0.0) + g)
    update = _orthogonal(g + c["momentum"] * m if c["nesterov"] else m, c["ns_steps"])
    scale = 1.0 if c["rms_rate"] is None else math.sqrt(max(w.shape)) * c["rms_rate"]
    return w - c["learning_rate"] * update * scale, {"m": m}


def _orthogonal(x: np.ndarray, steps: int) -> np.ndarray:
    a, b, c = NEWTON_SCHULZ
    tall = x.shape[-2] > x.shape[-1]
    x = x.T if tall else x
    x = x / (np.sqrt((x**2).sum()) + NORM_EPSILON)
    for _ in range(steps):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x.T if tall else x


def _rms(x: np.ndarray) -> float:
    return math.sqrt(float((x**2).mean()))
