"""Learning-rate schedules by name. Twin: ``keras_impl/parts/schedules.py``.

Deliberate differences: here a schedule sets the rate of an optimizer step by step, there it
replaces the optimizer's rate.
"""

from __future__ import annotations

from parity.reference.schedules.spec import SCHEDULES, ScheduleSpec
from torch_impl.optim import KerasOptimizer, schedules
from torch_impl.optim.schedules import KerasSchedule


def schedule_for(
    spec: ScheduleSpec, learning_rate: float, optimizer: KerasOptimizer
) -> KerasSchedule | None:
    """Keras's schedule in PyTorch with the spec's values; None if the rate is constant.

    Its rates are those of a Keras schedule within a ``tf.function``, as in the twin's training.
    """
    kind, values = SCHEDULES[spec.name].kind, spec.arguments(learning_rate)
    if not kind:
        return None
    values["initial_learning_rate"] = learning_rate
    schedule: KerasSchedule = getattr(schedules, kind)(optimizer, compiled=True, **values)
    return schedule
