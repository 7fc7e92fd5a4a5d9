"""Why two losses of the same outputs differ: each side's number is found among the formulas.

The settings with which a formula gives Keras's number, and those that give PyTorch's, on these
outputs and on others; where they part, as few as explain both, is the cause.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from parity.losses import LOG_EPSILON, PROBABILITY_EPSILON, of_targets
from parity.pairs.diagnosis import UNKNOWN, Cause, Proof

Values = Mapping[str, Any]
Probe = tuple[np.ndarray, np.ndarray, float, float]
"""Targets, outputs, Keras's loss of them, PyTorch's."""

REDUCTIONS = ("mean", "sum", "sum over the batch's size")
CLIPPING = ("clipped", "clipped, 1e-7 added", "not clipped", "logarithm clipped")
CROSSENTROPY = tuple(one for one in CLIPPING if "added" not in one)
IDS = {
    "from_logits": "loss.from_logits",
    "reduction": "loss.reduction",
    "kind": "loss.kind",
    "label_smoothing": "loss.label_smoothing",
    "delta": "loss.delta",
}
OF_ENTRIES = (
    *("mean_squared_error", "mean_absolute_error", "huber", "log_cosh"),
    *("hinge", "squared_hinge", "poisson"),
)
OF_ROWS = ("kl_divergence", "categorical_hinge", "cosine_similarity")
"""Losses of targets, by entry, and by the entries along the last axis."""
DELTAS = (1.0, 0.5, 2.0)


def causes_of(probes: Sequence[Probe], smoothings: Sequence[float], limit: float) -> list[Cause]:
    """The settings in which two losses part; one unknown where no formula gives their numbers.

    Args:
        probes: the first is the pair's own, others prove that no number is met by chance.
        smoothings: label smoothings that may be at work.
        limit: how far two numbers may stand apart.
    """
    before = apart(probes[0][2], probes[0][3])
    found: list[list[dict[str, Any]]] = [[], []]
    for settings in _all(sorted({0.0, *smoothings})):
        for side in (0, 1):
            if all(_away(settings, probe, side) <= limit for probe in probes):
                found[side].append(settings)
    pairs = [
        ([name for name in own if name in other and own[name] != other[name]], own, other)
        for own, other in itertools.product(*found)
    ]
    if not pairs:
        return [Cause(UNKNOWN, "loss", probes[0][2], probes[0][3], Proof(before, before), "loss")]
    parted, own, other = min(pairs, key=lambda pair: len(pair[0]))
    after = _away(own, probes[0], 0)
    return [
        Cause(_id(one, own, other), "loss", own[one], other.get(one), Proof(before, after), "loss")
        for one in parted
    ]


def apart(own: float, other: float) -> float:
    """Distance of two losses, relative to the larger."""
    if not (np.isfinite(own) and np.isfinite(other)):
        return 0.0 if own == other else float("inf")
    scale = max(abs(own), abs(other))
    return abs(own - other) / scale if scale else 0.0


def _id(name: str, settings: Values, other: Values) -> str:
    if name == "clipping":
        if settings["kind"] != "binary_crossentropy":
            return "loss.probability_clipping"
        added = {settings["clipping"], other["clipping"]} == set(CLIPPING[:2])
        return "loss.binary_epsilon" if added else "loss.binary_clipping"
    return IDS[name]


def _all(smoothings: Sequence[float]) -> Iterator[dict[str, Any]]:
    """Every formula with every setting that it has, the usual first."""
    for reduction in REDUCTIONS:
        for kind in ("crossentropy", "binary_crossentropy"):
            for smoothing in smoothings:
                common = {"kind": kind, "reduction": reduction, "label_smoothing": smoothing}
                yield {**common, "from_logits": True, "clipping": CLIPPING[0]}
                for clipping in CLIPPING if kind != "crossentropy" else CROSSENTROPY:
                    yield {**common, "from_logits": False, "clipping": clipping}
        for kind in (*OF_ENTRIES, *OF_ROWS):
            common = {"kind": kind, "reduction": reduction, "label_smoothing": 0.0}
            common |= {"from_logits": False, "clipping": CLIPPING[0]}
            for delta in DELTAS if kind == "huber" else (1.0,):
                yield {**common, "delta": delta}
            if kind == "poisson":
                yield {**common, "from_logits": True, "delta": 1.0}


def _away(settings: Values, probe: Probe, side: int) -> float:
    y, outputs, *wanted = probe
    with np.errstate(all="ignore"):
        value = _loss(settings, y, outputs)
    return float("inf") if value is None else apart(wanted[side], value)


def _loss(settings: Values, y: np.ndarray, outputs: np.ndarray) -> float | None:
    kind = settings["kind"]
    classes = outputs.shape[-1]
    target = y
    if kind == "crossentropy":
        if y.dtype.kind in "iu" and y.size * classes == outputs.size and classes > 1:
            target = np.eye(classes)[y.reshape(outputs.shape[:-1])]
    elif y.size == outputs.size:
        target = y.reshape(outputs.shape)
    if target.shape != outputs.shape or (kind == "crossentropy" and classes == 1):
        return None
    s = settings["label_smoothing"]
    if kind == "crossentropy":
        target = (1.0 - s) * target + s / classes
        each = -(target * _logarithms(settings, outputs)).sum(-1)
    elif kind == "binary_crossentropy":
        target = (1.0 - s) * target + s / 2.0
        yes, no = _both(settings, outputs)
        each = -(target * yes + (1.0 - target) * no)
    elif settings["from_logits"]:
        each = np.exp(outputs) - target * outputs
    else:
        if kind.endswith("hinge") and not np.isin(target, (0, 1)).all():
            target = (target + 1.0) / 2.0  # the formula takes labels of 0 and 1
        rows = target.reshape(-1, classes), outputs.reshape(-1, classes)
        each = of_targets(kind, rows[0], rows[1], settings["delta"], "tf_keras")
        each = np.repeat(each, classes) if kind in OF_ENTRIES else each
    if settings["reduction"] == "mean":
        return float(each.mean())
    return float(each.sum()) / (1 if settings["reduction"] == "sum" else len(outputs))


def _logarithms(settings: Values, outputs: np.ndarray) -> np.ndarray:
    x = outputs
    if not settings["from_logits"]:
        p = outputs
        if settings["clipping"] == "clipped":
            p = p.clip(PROBABILITY_EPSILON, 1.0 - PROBABILITY_EPSILON)
        x = np.log(p)
        if settings["clipping"] != "clipped":
            return np.asarray(np.maximum(x, -100.0) if "logarithm" in settings["clipping"] else x)
    highest = x.max(-1, keepdims=True)
    return np.asarray(x - highest - np.log(np.exp(x - highest).sum(-1, keepdims=True)))


def _both(settings: Values, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms of the probability and of its complement."""
    if settings["from_logits"]:
        return -np.logaddexp(0.0, -outputs), -np.logaddexp(0.0, outputs)
    if settings["clipping"] in CLIPPING[:2]:
        p = outputs.clip(PROBABILITY_EPSILON, 1.0 - PROBABILITY_EPSILON)
        epsilon = LOG_EPSILON["tf_keras"] if "added" in settings["clipping"] else 0.0
        return np.log(p + epsilon), np.log(1.0 - p + epsilon)
    least = -100.0 if "logarithm" in settings["clipping"] else -np.inf
    return np.maximum(np.log(outputs), least), np.maximum(np.log(1.0 - outputs), least)
