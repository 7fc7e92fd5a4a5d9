"""The CTC loss equals Keras 3's in float32 and its NumPy formula in float64."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from parity.adapters.backend import Backend
from parity.reference.losses.ctc import ctc_losses
from parity_tests.support.loss_rows import REDUCTIONS, in_keras, in_torch, softmax

pytestmark = pytest.mark.flavour

STEPS, CLASSES = 7, 4
FLOAT32_LIMIT = 24 * float(np.finfo("float32").eps)
"""Sums of logarithms over the steps, in another order; measured 14."""

TARGETS = {
    "padded": np.array([[1, 2, 3], [2, 2, 0], [3, 0, 0]]),
    "repeated": np.array([[1, 1, 1], [2, 1, 2], [3, 3, 0]]),
    "empty": np.array([[0, 0, 0], [1, 0, 0], [0, 0, 0]]),
}


def logits_of(target: np.ndarray, scale: float = 2.0) -> np.ndarray:
    return scale * np.random.default_rng(0).standard_normal((len(target), STEPS, CLASSES))


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("blank", [0, 3])
def test_the_formula_is_the_sum_over_all_alignments(name: str, blank: int) -> None:
    """The reference equals a sum over every sequence of labels that collapses to the target."""
    target = np.where(TARGETS[name] == 0, blank, TARGETS[name] % 3 + (blank == 0))
    logits = logits_of(target)[:, :5]
    found = ctc_losses(target, logits, blank)
    for labels, shares, loss in zip(target, softmax(logits), found, strict=True):
        wanted = [label for label in labels if label != blank]
        total = 0.0
        for path in itertools.product(range(CLASSES), repeat=5):
            if [label for label, _ in itertools.groupby(path) if label != blank] == wanted:
                total += float(np.prod(shares[range(5), path]))
        expected = -np.log(total) if total else np.inf
        assert loss == expected or abs(loss - expected) <= 1e-12 * expected


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_float64_equals_the_formula(name: str, scale: float) -> None:
    """In float64 the module's losses are those of the NumPy reference."""
    target = TARGETS[name]
    logits = logits_of(target, scale)
    found, _ = in_torch("CTC", {"reduction": "none"}, logits, target, flavour="keras3")
    expected = ctc_losses(target, logits)
    assert abs(found - expected).max() <= 1e-13 * expected.max()


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("given", [{"reduction": one} for one in REDUCTIONS["keras3"]], ids=str)
def test_value_and_gradient_are_keras_s(
    name: str, given: dict[str, Any], keras_backend: Backend, flavour: str
) -> None:
    """Keras computes in float32, whatever the outputs' dtype."""
    if flavour != "keras3":
        pytest.skip("Keras 2 has no such class")
    target, weight = TARGETS[name], np.array([0.5, 2.0, 1.0])
    logits = logits_of(target)
    k = in_keras("CTC", given, logits, target, weight, "float32")
    t = in_torch("CTC", given, logits, target, weight, "float32", flavour=flavour)
    for ours, theirs in zip(t, k, strict=True):
        assert ours.shape == theirs.shape
        assert abs(ours - theirs).max() <= FLOAT32_LIMIT * abs(theirs).max()


def test_a_target_that_does_not_fit_costs_infinity() -> None:
    """Repeated labels need a blank between them: four of one label need seven steps."""
    logits = logits_of(np.zeros((1, 4)))
    losses = [
        in_torch("CTC", {}, logits[:, :steps], np.ones((1, 4), int), flavour="keras3")[0]
        for steps in (6, 7)
    ]
    assert np.isinf(losses[0])
    assert np.isfinite(losses[1])
