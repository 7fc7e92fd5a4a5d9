"""Settings of optimizers that differ without an effect yet, and where they would show first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from parity.adapters.trainer import KerasTrainer, Key, Trainer
from parity.numerics import tolerance
from parity.numerics.distance import relative_error
from parity.pairs.align.config_diff import alike
from parity.pairs.causes import batch_norm
from parity.pairs.causes.training import optimizer
from parity.reference.formula import Settings
from parity.reference.optimizers.settings import of_either
from parity.verdict.result import Cause


def causes(k: KerasTrainer, t: Trainer, keys: Sequence[tuple[Key, Key]]) -> list[Cause]:
    """Every differing setting of the two optimizers, with or without an effect; none is proven.

    Floats that are equal once rounded to float32 do not differ, because Keras rounds its own. The
    learning rates of a schedule always have an effect.

    Args:
        k: Keras's trainer; it is reset.
        t: PyTorch's, likewise.
        keys: weights that both have.
    """
    k.start()
    t.start()
    found: dict[str, Cause] = {}
    for key, theirs in keys:
        if key[1] in batch_norm.STATISTICS or k.frozen(key) or t.frozen(theirs):
            continue
        own, other = of_either(k.settings_of(key)), of_either(t.settings_of(theirs))
        if own is None or other is None or own.kind != other.kind:
            continue
        for name in optimizer.differing(own, other):
            shown = name == "learning_rate" and k.schedule is not None
            if not shown and not alike(own.values[name], other.values[name]):
                rung = first_shown(own, other, name)
                cause = optimizer.cause_of(own, other, name, "optimizer", None, rung)
                found.setdefault(cause.id, cause)
    return list(found.values())


def first_shown(own: Settings, other: Settings, name: str) -> str:
    """The rung at which a setting can show first: ``step``, or ``steps`` if one step hides it.

    Both are settings of one update rule. The setting is tried on gradients over six orders of
    magnitude, with the other settings of each side.
    """
    gradient = np.array([1e3, -1e2, 1e1, -1.0, 1e-1, -1e-2, 1e-3])
    step = optimizer.StepInput(gradient, float(np.sqrt(np.vdot(gradient, gradient))), (0.0, 0.0))
    for settings in (own, other):
        tried = (
            replace(settings, values={**settings.values, name: side.values[name]})
            for side in (own, other)
        )
        one, two = (optimizer.weight_after(side, np.ones_like(gradient), [step]) for side in tried)
        if relative_error(one, two) > tolerance.FLOAT64["step"].limit:
            return "step"
    return "steps"
