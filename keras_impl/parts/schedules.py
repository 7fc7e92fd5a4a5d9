"""Learning-rate schedules by name. Twin: ``torch_impl/parts/schedules.py``.

Deliberate differences: here a schedule replaces the optimizer's rate, there it sets the rate of an
optimizer step by step.
"""

from __future__ import annotations

from typing import Any

from keras_impl.framework import keras
from parity.reference.schedules.spec import SCHEDULES, ScheduleSpec


def schedule_for(spec: ScheduleSpec, learning_rate: float) -> Any:
    """Keras's schedule with the spec's values; the learning rate itself if it is constant."""
    kind, values = SCHEDULES[spec.name].kind, spec.arguments(learning_rate)
    if not kind:
        return learning_rate
    if "boundaries" not in values:
        values["initial_learning_rate"] = learning_rate
    return getattr(keras.optimizers.schedules, kind)(**values)
