"""Why two losses of the same outputs differ: each side's number is found among the formulas.

The settings with which a formula gives Keras's number, and those that give PyTorch's, on these
outputs and on others; where they part, as few as explain both, is the cause.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from parity.constants import as_float32
from parity.numerics.distance import relative_error
from parity.reference.losses.formulas import LOG_EPSILON, PROBABILITY_EPSILON, of_targets
from parity.verdict.result import UNKNOWN, Cause, Proof

Values = Mapping[str, Any]
Probe = tuple[np.ndarray, np.ndarray, float, float]
"""Targets, outputs, Keras's loss of them, PyTorch's."""

REDUCTIONS = ("mean", "sum", "sum over the batch's size")
CLIPPING = ("clipped", "clipped, 1e-7 added", "not clipped", "logarithm clipped")
NORMALISED = "normalised, then clipped"
CROSSENTROPY = (*(one for one in CLIPPING if "added" not in one), NORMALISED)
OTHERS = {
    "mean_squared_error": CLIPPING[:1],
    "mean_absolute_error": CLIPPING[:1],
    "kl_divergence": (CLIPPING[0], CLIPPING[2]),
    "log_cosh": ("log 2 in float32", "exact"),
    "hinge": ("labels made 1 and -1", "labels as they are"),
    "squared_hinge": ("labels made 1 and -1", "labels as they are"),
    "categorical_hinge": CLIPPING[:1],
    "cosine_similarity": CLIPPING[:1],
    "huber": ("delta 1.0", "delta 0.5", "delta 2.0"),
    "poisson": ("of rates", "of their logarithms"),
}
"""Losses that know no logits, with the ways in which they are computed."""
IDS = {
    "from_logits": "loss.from_logits",
    "reduction": "loss.reduction",
    "kind": "loss.kind",
    "label_smoothing": "loss.label_smoothing",
}


def causes_of(probes: Sequence[Probe], smoothings: Sequence[float], limit: float) -> list[Cause]:
    """The settings in which two losses part; one unknown where no formula gives their numbers.

    Args:
        probes: the first is the pair's own, others prove that no number is met by chance.
        smoothings: label smoothings that may be at work.
        limit: how far two numbers may stand apart.
    """
    before = relative_error(probes[0][2], probes[0][3])
    found: list[list[dict[str, Any]]] = [[], []]
    for settings in _all(sorted({0.0, *smoothings})):
        for side in (0, 1):
            if all(_away(settings, probe, side) <= limit for probe in probes):
                found[side].append(settings)
    pairs = [
        ([name for name in own if own[name] != other.get(name)], own, other)
        for own, other in itertools.product(*found)
    ]
    if not pairs:
        return [Cause(UNKNOWN, "loss", probes[0][2], probes[0][3], Proof(before, before), "loss")]
    parted, own, other = min(pairs, key=lambda pair: len(pair[0]))
    parted = ["kind"] if "kind" in parted else parted
    after = _away(own, probes[0], 0)
    shares = probes[0][0].shape == probes[0][1].shape
    return [
        Cause(
            _id(one, own, other, shares),
            "loss",
            own[one],
            other.get(one),
            Proof(before, after),
            "loss",
        )
        for one in parted
    ]


def _id(name: str, settings: Values, other: Values, shares: bool) -> str:
    """``shares``: whether targets are a share of every class, not its number."""
    if name == "clipping" and settings["kind"] in WAYS:
        return WAYS[settings["kind"]]
    if settings["kind"] in WHOLE and name in ("clipping", "reduction"):
        return WHOLE[settings["kind"]]
    if name == "clipping":
        if settings["kind"] != "binary_crossentropy":
            return "loss.categorical_clipping" if shares else "loss.probability_clipping"
        added = {settings["clipping"], other["clipping"]} == set(CLIPPING[:2])
        return "loss.binary_epsilon" if added else "loss.binary_clipping"
    return IDS[name]


WHOLE = {
    "kl_divergence": "loss.kl_divergence",
    "log_cosh": "loss.log_cosh",
    "hinge": "loss.hinge_labels",
    "squared_hinge": "loss.hinge_labels",
}
WAYS = {"huber": "loss.delta", "poisson": "loss.from_logits"}
"""Losses to what the catalogue has about them."""


def _all(smoothings: Sequence[float]) -> Iterator[dict[str, Any]]:
    """Every formula with every setting that it has, the usual first."""
    for reduction in REDUCTIONS:
        for kind in ("crossentropy", "binary_crossentropy"):
            for smoothing in smoothings:
                common = {"kind": kind, "reduction": reduction, "label_smoothing": smoothing}
                yield {**common, "from_logits": True, "clipping": CLIPPING[0]}
                for clipping in CLIPPING if kind != "crossentropy" else CROSSENTROPY:
                    yield {**common, "from_logits": False, "clipping": clipping}
        for kind, ways in OTHERS.items():
            common = {"kind": kind, "reduction": reduction, "label_smoothing": 0.0}
            for way in ways:
                yield {**common, "from_logits": False, "clipping": way}


def _away(settings: Values, probe: Probe, side: int) -> float:
    y, outputs, *wanted = probe
    with np.errstate(all="ignore"):
        value = _loss(settings, y, outputs)
    return float("inf") if value is None else relative_error(wanted[side], value)


def _loss(settings: Values, y: np.ndarray, outputs: np.ndarray) -> float | None:
    kind = settings["kind"]
    classes = outputs.shape[-1]
    target = y
    if kind == "crossentropy":
        if y.dtype.kind in "iu" and y.size * classes == outputs.size and classes > 1:
            if y.min() < 0 or y.max() >= classes:
                return None
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
    else:
        each = _other(settings, target, outputs)
    if settings["reduction"] == "mean":
        return float(each.mean())
    return float(each.sum()) / (1 if settings["reduction"] == "sum" else len(outputs))


def _other(settings: Values, target: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    kind, way = settings["kind"], settings["clipping"]
    error = outputs - target
    if kind == "kl_divergence":
        if way == CLIPPING[0]:
            target, outputs = (one.clip(PROBABILITY_EPSILON, 1.0) for one in (target, outputs))
        return np.asarray(target * np.log(target / outputs))
    if kind == "log_cosh":
        constant = np.log(2.0) if way == "exact" else as_float32(float(np.log(2.0)))
        return np.asarray(error + np.logaddexp(0.0, -2.0 * error) - constant)
    if kind in ("hinge", "squared_hinge"):
        if way != "labels as they are" and np.isin(target, (0.0, 1.0)).all():
            target = 2.0 * target - 1.0
        short = np.maximum(1.0 - target * outputs, 0.0)
        return np.asarray(short if kind == "hinge" else short**2)
    if way == "of their logarithms":
        return np.asarray(np.exp(outputs) - target * outputs)
    if kind in ("huber", "poisson", "categorical_hinge", "cosine_similarity"):
        classes = outputs.shape[-1]
        rows = target.reshape(-1, classes), outputs.reshape(-1, classes)
        delta = float(way.removeprefix("delta ")) if kind == "huber" else 1.0
        found = of_targets(kind, rows[0], rows[1], delta, "tf_keras")
        return np.repeat(found, classes) if kind in ("huber", "poisson") else found
    return np.asarray(error**2 if kind == "mean_squared_error" else np.abs(error))


def _logarithms(settings: Values, outputs: np.ndarray) -> np.ndarray:
    x = outputs
    if not settings["from_logits"]:
        p = outputs
        if settings["clipping"] == NORMALISED:
            p = p / p.sum(-1, keepdims=True)
            return np.asarray(np.log(p.clip(PROBABILITY_EPSILON, 1.0 - PROBABILITY_EPSILON)))
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
