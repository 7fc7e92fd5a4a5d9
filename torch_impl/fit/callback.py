"""Base classes of the callbacks: monitored metric, comparison of values, resuming."""

from __future__ import annotations

import math
import warnings
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

from parity.constants import FLAVOURS

MODES = ("auto", "min", "max")

RISING = frozenset(
    {
        "acc",
        "accuracy",
        "auc",
        "binary_accuracy",
        "binary_io_u",
        "categorical_accuracy",
        "concordance_correlation",
        "cosine_similarity",
        "f1_score",
        "fbeta_score",
        "io_u",
        "mean_io_u",
        "one_hot_io_u",
        "one_hot_mean_io_u",
        "pearson_correlation",
        "precision",
        "precision_at_recall",
        "r2_score",
        "recall",
        "recall_at_precision",
        "sensitivity_at_specificity",
        "sparse_categorical_accuracy",
        "sparse_top_k_categorical_accuracy",
        "specificity_at_sensitivity",
        "top_k_categorical_accuracy",
    }
)
"""Names of Keras 3's metrics for which larger is better."""

FALLING = frozenset(
    {
        "bce",
        "binary_crossentropy",
        "categorical_crossentropy",
        "categorical_hinge",
        "hinge",
        "kl_divergence",
        "logcosh",
        "loss",
        "mae",
        "mape",
        "mean_absolute_error",
        "mean_absolute_percentage_error",
        "mean_squared_error",
        "mean_squared_logarithmic_error",
        "mse",
        "msle",
        "poisson",
        "root_mean_squared_error",
        "sparse_categorical_crossentropy",
        "squared_hinge",
    }
)
"""Names of Keras 3's metrics for which smaller is better."""


class Callback:
    """A callback that can be resumed; ``kept`` names the attributes to save."""

    kept: tuple[str, ...] = ()

    def state_dict(self) -> dict[str, Any]:
        """The saved attributes; ``torch.load(weights_only=True)`` can read them."""
        return {name: getattr(self, name) for name in self.kept}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore the attributes from :meth:`state_dict`.

        Raises:
            ValueError: it is from another kind of callback.
        """
        if set(state_dict) != set(self.kept):
            raise ValueError(
                f"state_dict: received {', '.join(map(str, state_dict)) or 'nothing'}, accepted: "
                f"{', '.join(self.kept)}"
            )
        for name in self.kept:
            setattr(self, name, state_dict[name])


class MonitorCallback(Callback):
    """A callback that monitors one metric.

    Keras 2 compares in float64 and starts from ∞, so a NaN is never the best value. Keras 3 rounds
    both values to float32 and always takes the first value as the best: after a NaN no value is
    better.

    Args:
        monitor: the metric's name in ``logs``.
        mode: ``min`` or ``max``: which values are better; ``auto``: depends on the name. (Keras 3
            asks the model's metric; here the name must be one of Keras's metrics.)
        min_delta: minimum improvement, 0 or more; a value must be better by more than this.
        flavour: ``tf_keras`` (Keras 2) or ``keras3``.

    Raises:
        ValueError: a value is not accepted.
    """

    def __init__(self, monitor: str, mode: str, min_delta: float, flavour: str) -> None:
        if flavour not in FLAVOURS:
            raise ValueError(f"flavour: received {flavour!r}, accepted: {', '.join(FLAVOURS)}")
        if mode not in MODES:
            raise ValueError(f"mode: received {mode!r}, accepted: {', '.join(MODES)}")
        if not 0 <= min_delta < math.inf:
            raise ValueError(f"min_delta: received {min_delta}, accepted: 0 or more, finite")
        self.monitor = monitor
        self.min_delta = min_delta
        self.flavour = flavour
        self.rises = mode == "max" if mode != "auto" else self._rises()
        self.best: float | None = self.first_best()

    @staticmethod
    @abstractmethod
    def keras_2_rises(monitor: str) -> bool:
        """Whether Keras 2 treats larger values of this metric as better."""

    def _rises(self) -> bool:
        if self.flavour == "tf_keras":
            return self.keras_2_rises(self.monitor)
        name = self.monitor.removeprefix("val_")
        if name not in RISING | FALLING:
            raise ValueError(
                f"mode: received 'auto' with monitor {self.monitor!r}, accepted: min or max (only "
                "Keras's own metrics say which)"
            )
        return name in RISING

    def first_best(self) -> float | None:
        """The initial best value."""
        if self.flavour == "keras3":
            return None
        return -math.inf if self.rises else math.inf

    def value(self, logs: Mapping[str, Any] | None) -> float | None:
        """The metric's value; None, with a warning, if it is missing."""
        found = (logs or {}).get(self.monitor)
        if found is None:
            warnings.warn(
                f"{type(self).__name__}: no {self.monitor!r} in logs, which have: "
                f"{', '.join(logs or ()) or 'nothing'}",
                stacklevel=3,
            )
            return None
        return float(found)

    def better(self, value: float, reference: float | None) -> bool:
        """Whether a value is better than the reference by more than ``min_delta``."""
        if reference is None:
            return True
        shifted = value - self.min_delta if self.rises else value + self.min_delta
        if self.flavour == "keras3":
            shifted, reference = as_tensorflow(shifted), as_tensorflow(reference)
        return shifted > reference if self.rises else shifted < reference


def as_tensorflow(value: float) -> float:
    """The value as TensorFlow compares it: rounded to float32, subnormal numbers as zero.

    Values too large for float32 become infinite here; Keras 3 raises an error.
    """
    with np.errstate(over="ignore"):
        rounded = float(np.float32(value))
    return 0.0 if abs(rounded) < 2.0**-126 else rounded


def plain(value: Any) -> Any:
    """A scalar tensor as a number; other values unchanged."""
    return value.item() if isinstance(value, Tensor) and value.ndim == 0 else value


def check_count(name: str, value: int, least: int = 0) -> int:
    """The value as an int; it must be a whole number of at least ``least``."""
    if value != int(value) or value < least:
        raise ValueError(f"{name}: received {value}, accepted: {least} or more, whole")
    return int(value)
