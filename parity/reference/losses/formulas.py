"""The formula of every loss, once, with the settings in which implementations of it differ.

Sources: ``tf_keras/src/backend.py`` (``sparse_categorical_crossentropy``, ``binary_crossentropy``)
and ``keras/src/backend/tensorflow/nn.py``; for the other losses ``tf_keras/src/losses.py`` and
``keras/src/losses/losses.py``; ``torch/nn/functional.py``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.constants import as_float32

PROBABILITY_EPSILON = 1e-7
"""Probabilities are clipped to [this, 1 − this] first (``keras.backend.epsilon``)."""

LOG_EPSILON = {"tf_keras": 1e-7, "keras3": 0.0}
"""What the binary cross-entropy on probabilities adds within the logarithm, by flavour."""

LOG_2 = as_float32(0.6931471805599453)
"""Keras's log 2 in the log-cosh loss, computed in float32."""

SHORTEST = {"tf_keras": 1e-12, "keras3": 1e-14}
"""The least square of a length that the cosine similarity divides by, by flavour."""

LEAST_OF_LOGARITHM = {"tf_keras": 1e-7, "keras3": as_float32(1e-7)}
"""The least value whose logarithm the squared logarithmic error takes, by flavour."""

CLIPPED = "clipped"
CLIPPED_AND_ADDED = "clipped, 1e-7 added"
UNCLIPPED = "not clipped"
LOGARITHM_CLIPPED = "logarithm clipped"
NORMALISED = "normalised, then clipped"
"""How a cross-entropy prevents the logarithm of a probability of 0."""

LEAST_LOGARITHM = -100.0
"""What PyTorch's binary cross-entropy clips logarithms to."""

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Formula:
    """A loss of targets t and outputs x.

    Attributes:
        terms: (settings, t, x), both (…, units), → one term for each entry, or, where the formula
            combines units, for each example.
        settings: each setting with its values, Keras's first.
        summed: whether Keras sums an example's terms; otherwise it averages them.
    """

    terms: Callable[[Values, np.ndarray, np.ndarray], np.ndarray]
    settings: Mapping[str, Sequence[Any]]
    summed: bool = False

    def choices(self, **others: Sequence[Any]) -> Iterator[dict[str, Any]]:
        """Every combination of settings, Keras's first; logits are not clipped.

        Args:
            others: values of a setting to take instead, where the loss has it.
        """
        settings = {name: others.get(name, values) for name, values in self.settings.items()}
        for values in itertools.product(*settings.values()):
            found = dict(zip(settings, values, strict=True))
            idle = found.get("from_logits") and "clipping" in found
            if not idle or found["clipping"] == self.settings["clipping"][0]:
                yield found

    def of_examples(self, settings: Values, t: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Keras's loss of each example, (N,), of targets and outputs (N, units)."""
        keras = {name: values[0] for name, values in self.settings.items()}
        terms = self.terms({**keras, **settings}, t, x)
        if terms.ndim < 2:  # Dice and Tversky have one loss of the whole batch
            return terms
        return np.asarray(terms.sum(1) if self.summed else terms.mean(1))


def _clipped(p: np.ndarray) -> np.ndarray:
    return p.clip(PROBABILITY_EPSILON, 1.0 - PROBABILITY_EPSILON)


def _least_logarithm(c: Values) -> float:
    return LEAST_LOGARITHM if c["clipping"] == LOGARITHM_CLIPPED else -np.inf


def _crossentropy(c: Values, t: np.ndarray, x: np.ndarray) -> np.ndarray:
    """−Σ t·log p over classes, with t ← (1 − s)·t + s / classes."""
    smoothing = c["label_smoothing"]
    t = (1.0 - smoothing) * t + smoothing / x.shape[-1]
    return np.asarray(-(t * _log_probabilities(c, x)).sum(-1))


def _log_probabilities(c: Values, x: np.ndarray) -> np.ndarray:
    if not c["from_logits"]:
        if c["clipping"] == NORMALISED:
            return np.asarray(np.log(_clipped(x / x.sum(-1, keepdims=True))))
        if c["clipping"] != CLIPPED:
            return np.asarray(np.maximum(np.log(x), _least_logarithm(c)))
        x = np.log(_clipped(x))  # normalised below, as Keras does
    highest = x.max(-1, keepdims=True)
    return np.asarray(x - highest - np.log(np.exp(x - highest).sum(-1, keepdims=True)))


def _binary_crossentropy(c: Values, t: np.ndarray, x: np.ndarray) -> np.ndarray:
    """−t·log p − (1 − t)·log(1 − p), with t ← (1 − s)·t + s/2."""
    t = (1.0 - c["label_smoothing"]) * t + c["label_smoothing"] / 2.0
    if c["from_logits"]:
        yes, no = -np.logaddexp(0.0, -x), -np.logaddexp(0.0, x)
    elif c["clipping"] in (CLIPPED, CLIPPED_AND_ADDED):
        p, added = _clipped(x), PROBABILITY_EPSILON if c["clipping"] != CLIPPED else 0.0
        yes, no = np.log(p + added), np.log(1.0 - p + added)
    else:
        least = _least_logarithm(c)
        yes, no = np.maximum(np.log(x), least), np.maximum(np.log(1.0 - x), least)
    return np.asarray(-(t * yes + (1.0 - t) * no))


def _huber(c: Values, t: np.ndarray, x: np.ndarray) -> np.ndarray:
    error, delta = np.abs(x - t), c["delta"]
    return np.asarray(np.where(error <= delta, error**2 / 2, delta * error - delta**2 / 2))


def _log_cosh(c: Values, t: np.ndarray, x: np.ndarray) -> np.ndarray:
    error = x - t
    return np.asarray(error + np.logaddexp(0.0, -2.0 * error) - c["log_2"])


def _kl_divergence(c: Values, t: np.ndarray, x: np.ndarray) -> np.ndarray:
    if c["clipping"] == CLIPPED:
        t, x = (values.clip(PROBABILITY_EPSILON, 1.0) for values in (t, x))
    return np.asarray(t * np.log(t / x))


def _hinge(c: Values, t: np.ndarray, x: np.ndarray) -> np.ndarray:
    if c["labels"] == SIGNS and np.isin(t, (0.0, 1.0)).all():
        t = 2.0 * t - 1.0
    return np.asarray(np.maximum(1.0 - t * x, 0.0))


def _categorical_hinge(c: Values, t: np.ndarray, x: np.ndarray) -> np.ndarray:
    right, wrong = (t * x).sum(-1), ((1.0 - t) * x).max(-1)
    return np.asarray(np.maximum(wrong - right + 1.0, 0.0))


def _poisson(c: Values, t: np.ndarray, x: np.ndarray) -> np.ndarray:
    if c["from_logits"]:
        return np.asarray(np.exp(x) - t * x)
    return np.asarray(x - t * np.log(x + PROBABILITY_EPSILON))


def _cosine_similarity(c: Values, t: np.ndarray, x: np.ndarray) -> np.ndarray:
    squares = [(values**2).sum(-1).clip(c["shortest"]) for values in (t, x)]
    return np.asarray(-(t * x).sum(-1) / np.sqrt(squares[0] * squares[1]))


def _percentage(c: Values, t: np.ndarray, x: np.ndarray) -> np.ndarray:
    return np.asarray(100.0 * np.abs(t - x) / np.abs(t).clip(PROBABILITY_EPSILON))


def _squared_logarithmic(c: Values, t: np.ndarray, x: np.ndarray) -> np.ndarray:
    logs = [np.log(values.clip(c["least"]) + 1.0) for values in (x, t)]
    return np.asarray((logs[0] - logs[1]) ** 2)


def _binary_focal(c: Values, t: np.ndarray, x: np.ndarray) -> np.ndarray:
    """(1 − pₜ)^γ times the binary cross-entropy, pₜ = t·p + (1 − t)(1 − p)."""
    crossentropy = _binary_crossentropy(c, t, x)
    t = (1.0 - c["label_smoothing"]) * t + c["label_smoothing"] / 2.0
    p = 1.0 / (1.0 + np.exp(-x)) if c["from_logits"] else x
    balance = t * c["alpha"] + (1.0 - t) * (1.0 - c["alpha"]) if c["balanced"] else 1.0
    right = t * p + (1.0 - t) * (1.0 - p)
    return np.asarray(balance * (1.0 - right) ** c["gamma"] * crossentropy)


def _categorical_focal(c: Values, t: np.ndarray, x: np.ndarray) -> np.ndarray:
    """−Σ α·(1 − q)^γ·t·log q over classes, of the normalised and clipped probabilities q."""
    t = (1.0 - c["label_smoothing"]) * t + c["label_smoothing"] / x.shape[-1]
    p = np.exp(x - x.max(-1, keepdims=True)) if c["from_logits"] else x
    q = _clipped(p / p.sum(-1, keepdims=True))
    return np.asarray(-(c["alpha"] * (1.0 - q) ** c["gamma"] * t * np.log(q)).sum(-1))


def _tversky(c: Values, t: np.ndarray, x: np.ndarray) -> np.ndarray:
    """1 − Σtx / (Σtx + α·Σ(1 − x)t + β·Σx(1 − t) + ε), one loss; Dice is α = β = ½, with ε/2."""
    both, missed, invented = (t * x).sum(), ((1.0 - x) * t).sum(), (x * (1.0 - t)).sum()
    divisor = both + c["alpha"] * missed + c["beta"] * invented + c["added"]
    return np.asarray(1.0 - both / divisor)


SIGNS, LABELS = "made 1 and -1", "as they are"
"""What the hinge losses do with labels of 0 and 1."""

_OF_LABELS = {"labels": (SIGNS, LABELS)}
_OF_PROBABILITIES = {"label_smoothing": (0.0,), "from_logits": (True, False)}

FORMULAS: dict[str, Formula] = {
    "crossentropy": Formula(
        _crossentropy,
        {**_OF_PROBABILITIES, "clipping": (CLIPPED, UNCLIPPED, LOGARITHM_CLIPPED, NORMALISED)},
    ),
    "binary_crossentropy": Formula(
        _binary_crossentropy,
        {
            **_OF_PROBABILITIES,
            "clipping": (CLIPPED, CLIPPED_AND_ADDED, UNCLIPPED, LOGARITHM_CLIPPED),
        },
    ),
    "mean_squared_error": Formula(lambda c, t, x: (x - t) ** 2, {}),
    "mean_absolute_error": Formula(lambda c, t, x: np.abs(x - t), {}),
    "kl_divergence": Formula(_kl_divergence, {"clipping": (CLIPPED, UNCLIPPED)}, summed=True),
    "log_cosh": Formula(_log_cosh, {"log_2": (LOG_2, float(np.log(2.0)))}),
    "hinge": Formula(_hinge, _OF_LABELS),
    "squared_hinge": Formula(lambda c, t, x: _hinge(c, t, x) ** 2, _OF_LABELS),
    "categorical_hinge": Formula(_categorical_hinge, {}),
    "cosine_similarity": Formula(_cosine_similarity, {"shortest": (SHORTEST["tf_keras"],)}),
    "huber": Formula(_huber, {"delta": (1.0, 0.5, 2.0)}),
    "mean_absolute_percentage_error": Formula(_percentage, {}),
    "mean_squared_logarithmic_error": Formula(
        _squared_logarithmic, {"least": (LEAST_OF_LOGARITHM["tf_keras"],)}
    ),
    "binary_focal_crossentropy": Formula(
        _binary_focal,
        {
            **_OF_PROBABILITIES,
            **{"clipping": (CLIPPED, CLIPPED_AND_ADDED)},
            **{"gamma": (2.0,), "alpha": (0.25,), "balanced": (False,)},
        },
    ),
    "categorical_focal_crossentropy": Formula(
        _categorical_focal, {**_OF_PROBABILITIES, "gamma": (2.0,), "alpha": (0.25,)}
    ),
    "dice": Formula(
        _tversky, {"alpha": (0.5,), "beta": (0.5,), "added": (PROBABILITY_EPSILON / 2,)}
    ),
    "tversky": Formula(
        _tversky, {"alpha": (0.5,), "beta": (0.5,), "added": (PROBABILITY_EPSILON,)}
    ),
    "poisson": Formula(_poisson, {"from_logits": (False, True)}),
}
"""Name of a loss to its formula."""
