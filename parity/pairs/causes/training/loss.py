"""Why two losses of the same outputs differ: each side's value is found among the formulas.

On these outputs and on others, some settings of a formula give Keras's value, and some PyTorch's.
The cause is the fewest settings that differ between one of the former and one of the latter.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from parity.numerics.distance import relative_error
from parity.reference.losses.formulas import CLIPPED, CLIPPED_AND_ADDED, FORMULAS
from parity.verdict.result import UNKNOWN, Cause, Proof

Values = Mapping[str, Any]
Probe = tuple[np.ndarray, np.ndarray, float, float]
"""Targets, outputs, Keras's loss of them, PyTorch's."""

REDUCTIONS = ("mean", "sum", "sum over the batch's size")
BY_WEIGHT = "sum over the sum of the classes' weights"
"""The mean that PyTorch's cross-entropy computes where classes have weights."""

NO_WEIGHT = "none"

IDS = {
    "from_logits": "loss.from_logits",
    "reduction": "loss.reduction",
    "kind": "loss.kind",
    "label_smoothing": "loss.label_smoothing",
    "delta": "loss.delta",
    "log_2": "loss.log_cosh",
    "labels": "loss.hinge_labels",
    "class_weight": "loss.class_weight",
}
"""Setting to the catalogue's id; for those of clipping see :func:`_id_of`."""


def causes_of(
    probes: Sequence[Probe],
    smoothings: Sequence[float],
    limit: float,
    class_weights: np.ndarray | None = None,
) -> list[Cause]:
    """The settings in which two losses differ; one unknown if no formula gives their values.

    Args:
        probes: the first is the pair's own; the others rule out values that agree by chance.
        smoothings: label smoothings to try.
        limit: largest relative error between two values that counts as none.
        class_weights: of PyTorch's loss, (classes,).
    """
    expected, actual = probes[0][2:]
    before = relative_error(expected, actual)
    found: tuple[list[dict[str, Any]], ...] = ([], [])
    for settings in _all(sorted({0.0, *smoothings}), class_weights):
        for side in (0, 1):
            if all(_error(settings, probe, side) <= limit for probe in probes):
                found[side].append(settings)
    pairs = [
        ([name for name in own | other if own.get(name) != other.get(name)], own, other)
        for own, other in itertools.product(*found)
    ]
    if not pairs:
        return [Cause(UNKNOWN, "loss", expected, actual, Proof(before, before), "loss")]
    differing, own, other = min(pairs, key=lambda pair: len(pair[0]))
    differing = ["kind"] if "kind" in differing else differing
    proof = Proof(before, _error(own, probes[0], 0))
    one_hot = probes[0][0].shape == probes[0][1].shape
    return [
        Cause(_id_of(name, own, other, one_hot), "loss", own[name], other[name], proof, "loss")
        for name in differing
    ]


def _id_of(name: str, own: Values, other: Values, one_hot: bool) -> str:
    """``one_hot``: whether targets are a share of every class instead of its number."""
    if name == "reduction" and BY_WEIGHT in (own[name], other[name]):
        return "loss.sample_weight"
    if own["kind"] == "kl_divergence" and name in ("clipping", "reduction"):
        return "loss.kl_divergence"
    if name != "clipping":
        return IDS[name]
    if own["kind"] == "binary_crossentropy":
        added = {own["clipping"], other["clipping"]} == {CLIPPED, CLIPPED_AND_ADDED}
        return "loss.binary_epsilon" if added else "loss.binary_clipping"
    return "loss.categorical_clipping" if one_hot else "loss.probability_clipping"


def _all(smoothings: Sequence[float], class_weights: np.ndarray | None) -> Iterator[dict[str, Any]]:
    """Every formula with every combination of its settings, the usual ones first."""
    for reduction, (kind, formula) in itertools.product(REDUCTIONS, FORMULAS.items()):
        for settings in formula.choices(label_smoothing=smoothings):
            yield {"kind": kind, "reduction": reduction, "class_weight": NO_WEIGHT, **settings}
    if class_weights is not None:
        weights = tuple(float(one) for one in class_weights)
        for reduction in (BY_WEIGHT, *REDUCTIONS):
            for settings in FORMULAS["crossentropy"].choices(label_smoothing=smoothings):
                yield {
                    "kind": "crossentropy",
                    "reduction": reduction,
                    "class_weight": weights,
                    **settings,
                }


def _error(settings: Values, probe: Probe, side: int) -> float:
    """Relative error of the formula's value; inf where it does not take these targets."""
    y, outputs, *expected = probe
    with np.errstate(all="ignore"):
        value = _loss(settings, y, outputs)
    return float("inf") if value is None else relative_error(expected[side], value)


def _loss(settings: Values, y: np.ndarray, outputs: np.ndarray) -> float | None:
    crossentropy = settings["kind"] == "crossentropy"
    classes = outputs.shape[-1]
    target = y
    if crossentropy and y.dtype.kind in "iu" and y.size * classes == outputs.size and classes > 1:
        if y.min() < 0 or y.max() >= classes:
            return None
        target = np.eye(classes)[y.reshape(outputs.shape[:-1])]
    elif not crossentropy and y.size == outputs.size:
        target = y.reshape(outputs.shape)
    if target.shape != outputs.shape or (crossentropy and classes == 1):
        return None
    terms = FORMULAS[settings["kind"]].terms(settings, target, outputs)
    if settings["class_weight"] != NO_WEIGHT:
        if len(settings["class_weight"]) != classes:
            return None
        weights = np.asarray(settings["class_weight"])[target.argmax(-1)]
        terms = terms * weights
        if settings["reduction"] == BY_WEIGHT:
            return float(terms.sum() / weights.sum())
    if settings["reduction"] == "mean":
        return float(terms.mean())
    return float(terms.sum()) / (1 if settings["reduction"] == "sum" else len(outputs))
