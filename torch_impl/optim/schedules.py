"""Keras's learning-rate schedules as PyTorch schedulers, with Keras's float32 rates.

Keras computes a rate in float32, whatever the dtype of the weights, and rounds after each
operation. This file does the same, so its rates have the same bits. PyTorch's own schedulers
compute in double precision, and most of them derive a rate from the previous one instead of from a
formula.

Compiled rates differ. Within a ``tf.function``, as in Keras 2's ``fit``, TensorFlow multiplies by
1/n where the schedule divides by n, so some rates differ by an ulp; as 21·(1/7) is greater than 3,
a cycle of seven steps even ends a step later. ``compiled=True`` gives these rates. Keras 3's
``fit`` compiles with XLA, which omits some roundings: its rates differ from these by a few ulps.
Source: ``keras/src/optimizers/schedules/learning_rate_schedule.py``.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from parity.constants import as_float32
from torch_impl.optim.float32 import cosine, float32, flushed, logarithm, power


class KerasSchedule(LRScheduler):
    """Base class: the rate is a function of the number of steps, defined by the subclass.

    Call :meth:`step` once after every ``optimizer.step()``; the first step uses the rate at step 0.
    Each of the optimizer's groups has its own initial rate.

    Args:
        optimizer: any of ``torch.optim`` or :mod:`torch_impl.optim`.
        initial_learning_rate: for all groups; None for the rate that each group has.
        compiled: return the rates of the schedule within a ``tf.function``.
        last_epoch: number of steps done so far if training is resumed, otherwise −1.

    Raises:
        ValueError: a value is out of range.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        *,
        initial_learning_rate: float | None = None,
        compiled: bool = False,
        last_epoch: int = -1,
    ) -> None:
        self.compiled = compiled
        if initial_learning_rate is not None:
            _check("initial_learning_rate", initial_learning_rate, 0.0)
            for group in optimizer.param_groups:
                group["initial_lr"] = float(initial_learning_rate)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The rate of each group at the current step."""
        return [self.rate(float(initial), self.last_epoch) for initial in self.base_lrs]

    def rate(self, initial: float, step: int) -> float:
        """The rate after ``step`` steps, from the initial rate; a float32 number."""
        return float(flushed(self.formula(float32(initial), float32(step))))

    def over(self, value: Tensor, divisor: Tensor) -> Tensor:
        """A quotient, computed as TensorFlow does if the divisor is a constant."""
        return value * (float32(1.0) / divisor) if self.compiled else value / divisor

    @abstractmethod
    def formula(self, initial: Tensor, step: Tensor) -> Tensor:
        """The rate, from the initial rate and the step; all are float32 scalars."""


class _StepwiseDecay(KerasSchedule):
    """Base class with t/n, the number of decays so far, and the decay rate r."""

    def __init__(
        self,
        optimizer: Optimizer,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        **common: Any,
    ) -> None:
        self.decay_steps = _check_above("decay_steps", decay_steps)
        self.decay_rate = _check("decay_rate", decay_rate, 0.0)
        self.staircase = staircase
        super().__init__(optimizer, **common)

    def passed(self, step: Tensor) -> Tensor:
        """Number of decays so far, rounded down if ``staircase`` is set."""
        passed = self.over(step, float32(self.decay_steps))
        return passed.floor() if self.staircase else passed


class ExponentialDecay(_StepwiseDecay):
    """α(t) = α₀·r^(t/n). ``ExponentialLR(optimizer, r ** (1 / n))`` is similar, without staircase.

    Args:
        optimizer: see :class:`KerasSchedule`, as for all arguments not named here.
        decay_steps: n, above 0.
        decay_rate: r, 0 or more.
        staircase: t/n is rounded down.
    """

    def formula(self, initial: Tensor, step: Tensor) -> Tensor:
        """See :meth:`KerasSchedule.formula`."""
        return initial * power(float32(self.decay_rate), self.passed(step))


class InverseTimeDecay(_StepwiseDecay):
    """α(t) = α₀ / (1 + r·t/n). PyTorch has no such schedule.

    Args: as :class:`ExponentialDecay`.
    """

    def formula(self, initial: Tensor, step: Tensor) -> Tensor:
        """See :meth:`KerasSchedule.formula`."""
        return initial / (1 + float32(self.decay_rate) * self.passed(step))


class PolynomialDecay(KerasSchedule):
    """α(t) = (α₀ − α₁)(1 − min(t, n)/n)^p + α₁.

    ``PolynomialLR`` ends at zero and has no cycles.

    Args:
        optimizer: see :class:`KerasSchedule`, as for all arguments not named here.
        decay_steps: n, above 0.
        end_learning_rate: α₁, 0 or more.
        power: p, 0 or more.
        cycle: instead of ending, replace n by its smallest multiple that is at least t.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        decay_steps: float,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        **common: Any,
    ) -> None:
        self.decay_steps = _check_above("decay_steps", decay_steps)
        self.end_learning_rate = _check("end_learning_rate", end_learning_rate, 0.0)
        self.power = _check("power", power, 0.0)
        self.cycle = cycle
        super().__init__(optimizer, **common)

    def formula(self, initial: Tensor, step: Tensor) -> Tensor:
        """See :meth:`KerasSchedule.formula`."""
        steps, end = float32(self.decay_steps), float32(self.end_learning_rate)
        if self.cycle:
            steps = steps * self.over(step, steps).ceil().clamp_min(1.0)
            passed = step / steps
        else:
            passed = self.over(step.minimum(steps), steps)
        return (initial - end) * power(1 - passed, float32(self.power)) + end


class PiecewiseConstantDecay(KerasSchedule):
    """α(t) = vᵢ for bᵢ₋₁ < t ≤ bᵢ. ``MultiStepLR`` changes one step earlier, at its milestones.

    Args:
        optimizer: see :class:`KerasSchedule`; its rates are not used.
        boundaries: b, strictly increasing.
        values: v, each 0 or more; one value more than there are boundaries.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        boundaries: Sequence[int | float],
        values: Sequence[float],
        **common: Any,
    ) -> None:
        if not boundaries or not all(low < high for low, high in pairwise(boundaries)):
            raise ValueError(
                f"boundaries: received {list(boundaries)}, accepted: at least one, increasing"
            )
        if len(values) != len(boundaries) + 1:
            raise ValueError(f"values: received {len(values)}, accepted: {len(boundaries) + 1}")
        self.boundaries = [as_float32(b) if isinstance(b, float) else b for b in boundaries]
        self.values = [_check("values", value, 0.0) for value in values]
        super().__init__(optimizer, **common)

    def rate(self, initial: float, step: int) -> float:
        """See :meth:`KerasSchedule.rate`."""
        passed = sum(step > boundary for boundary in self.boundaries)
        return float(flushed(float32(self.values[passed])))


class CosineDecay(KerasSchedule):
    """α(t) = α₁·((1 − a)·½(1 + cos πτ/n) + a), τ = min(t − w, n), after a linear warmup to α₁.

    During the first w steps α(t) = α₀ + (α₁ − α₀)·t/w; without a target α₁ = α₀ and w = 0.
    ``CosineAnnealingLR`` increases again after its end.

    Args:
        optimizer: see :class:`KerasSchedule`, as for all arguments not named here.
        decay_steps: n, above 0; counted from the end of the warmup.
        alpha: a, smallest rate as a share of α₁, 0 or more.
        warmup_target: α₁, 0 or more; None for no warmup (``warmup_steps`` is then ignored).
        warmup_steps: w, 0 or more.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        decay_steps: float,
        alpha: float = 0.0,
        warmup_target: float | None = None,
        warmup_steps: float = 0,
        **common: Any,
    ) -> None:
        self.decay_steps = _check_above("decay_steps", decay_steps)
        self.alpha = _check("alpha", alpha, 0.0)
        if warmup_target is not None:
            _check("warmup_target", warmup_target, 0.0)
        self.warmup_target = warmup_target
        self.warmup_steps = _check("warmup_steps", warmup_steps, 0.0)
        super().__init__(optimizer, **common)

    def formula(self, initial: Tensor, step: Tensor) -> Tensor:
        """See :meth:`KerasSchedule.formula`."""
        steps, top, pi = float32(self.decay_steps), initial, float32(math.pi)
        if self.warmup_target is not None:  # branches are compiled unchanged
            top, warmup = float32(self.warmup_target), float32(self.warmup_steps)
            if step < warmup:
                return (top - initial) * (step / warmup) + initial
            angle = pi * ((step.minimum(steps + warmup) - warmup) / steps)
        else:
            step = step.minimum(steps)
            angle = self.over(pi, steps) * step if self.compiled else pi * (step / steps)
        shape = 0.5 * (1 + cosine(angle))
        # only here Keras subtracts Python numbers: 1 − a is rounded once
        return top * (float32(1 - self.alpha) * shape + float32(self.alpha))


class CosineDecayRestarts(KerasSchedule):
    """α(t) = α₀·((1 − a)·mⁱ·½(1 + cos πx) + a), x: elapsed share of the i-th period.

    The first period has n steps. Each following period is k times as long and starts m times as
    high. ``CosineAnnealingWarmRestarts`` has no m, and takes a rate instead of the share a. For k ≠
    1, float32 logarithms determine where a period begins: Keras, and this class, may be a step off.

    Args:
        optimizer: see :class:`KerasSchedule`, as for all arguments not named here.
        first_decay_steps: n, above 0.
        t_mul: k, 1 or more.
        m_mul: m, 0 or more.
        alpha: a, smallest rate as a share of α₀, 0 or more.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        first_decay_steps: float,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        **common: Any,
    ) -> None:
        self.first_decay_steps = _check_above("first_decay_steps", first_decay_steps)
        self.t_mul = _check("t_mul", t_mul, 1.0)
        self.m_mul = _check("m_mul", m_mul, 0.0)
        self.alpha = _check("alpha", alpha, 0.0)
        super().__init__(optimizer, **common)

    def formula(self, initial: Tensor, step: Tensor) -> Tensor:
        """See :meth:`KerasSchedule.formula`."""
        alpha, growth = float32(self.alpha), float32(self.t_mul)
        share = self.over(step, float32(self.first_decay_steps))
        if growth == 1:
            restarts = share.floor()
            share = share - restarts
        else:
            restarts = self.over(logarithm(1 - share * (1 - growth)), logarithm(growth)).floor()
            length = power(growth, restarts)
            share = (share - self.over(1 - length, 1 - growth)) / length
        height, wave = power(float32(self.m_mul), restarts), 1 + cosine(float32(math.pi) * share)
        if not self.compiled:
            return initial * ((1 - alpha) * (flushed(0.5 * height) * wave) + alpha)
        if alpha == 0:  # TensorFlow multiplies constant factors first
            return flushed(0.5 * initial * height) * wave
        return initial * (flushed((1 - alpha) * 0.5 * height) * wave + alpha)


def _check(name: str, value: float, least: float) -> float:
    if not least <= value < math.inf:
        raise ValueError(f"{name}: received {value}, accepted: {least:g} or more, finite")
    return value if isinstance(value, int) else float(value)


def _check_above(name: str, value: float) -> float:
    if value == 0:
        raise ValueError(f"{name}: received 0, accepted: above 0, finite")
    return _check(name, value, 0.0)
