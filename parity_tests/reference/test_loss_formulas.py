"""The NumPy formula of every loss equals Keras's losses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parity.adapters.backend import Backend
from parity.constants import as_float32
from parity.reference.keras_config import LOSSES
from parity.reference.losses.formulas import (
    CLIPPED,
    CLIPPED_AND_ADDED,
    FORMULAS,
    LEAST_OF_LOGARITHM,
    LOG_EPSILON,
    NORMALISED,
    SHORTEST,
)
from parity_tests.support.loss_rows import (
    LIMITS,
    D,
    in_keras,
    one_hot,
    outputs_of,
    pytest_generate_tests,
    targets_of,
)

__all__ = ["pytest_generate_tests"]  # which pytest finds here

pytestmark = pytest.mark.flavour

NAMES = {kind: name for name, kind in LOSSES.items() if name in FORMULAS} | {
    "SparseCategoricalCrossentropy": "crossentropy",
    "CategoricalCrossentropy": "crossentropy",
}
"""Class to formula."""
SETTINGS = {"apply_class_balancing": "balanced"}
"""Argument of the class to the formula's setting of another name."""


def test_formulas_are_keras_s(
    row: tuple[str, dict[str, Any], str, str], keras_backend: Backend, flavour: str
) -> None:
    """A formula with the settings of the class gives Keras's losses."""
    kind, given, outputs, target = row
    if given.get("axis") is not None or "ignore_class" in given:
        pytest.skip("the formulas have no such setting")
    x, t = outputs_of(outputs), targets_of(target)
    expected, _ = in_keras(kind, {**given, "reduction": "none"}, x, t)
    settings = {SETTINGS.get(name, name): value for name, value in given.items()}
    settings = {"from_logits": False, **settings, "shortest": SHORTEST[flavour]}
    settings["least"] = LEAST_OF_LOGARITHM[flavour]
    if "delta" in given and flavour == "tf_keras":
        settings["delta"] = as_float32(given["delta"])
    if kind == "CategoricalCrossentropy":
        settings["clipping"] = NORMALISED
    if kind.startswith("Binary"):
        settings["clipping"] = CLIPPED_AND_ADDED if LOG_EPSILON[flavour] else CLIPPED
    formula = FORMULAS[NAMES[kind]]
    found = formula.of_examples(settings, one_hot(t, D) if t.ndim == 1 else t, x)
    assert found.shape == expected.shape
    assert abs(found - expected).max() <= LIMITS["float64"] * abs(expected).max()
    assert np.isfinite(expected).all()
