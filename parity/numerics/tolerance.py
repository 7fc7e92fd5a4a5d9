"""Tolerances of the comparison of two records, each with its reason and measurement.

float64 decides. A relative difference is the largest absolute difference of a tensor divided by its
largest entry. It is 1e-16 to 1e-12 for a faithful port; every known semantic fault exceeds 1e-9.

The tolerance of float32 follows from the measured rounding: see :func:`allowed_float32`.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

Parameter = TypeVar("Parameter", bound=Hashable)


@dataclass(frozen=True)
class Allowed:
    """A tolerance, its reason, and whether it replaces the table's."""

    limit: float
    reason: str
    override: bool = False

    def relative_to(self, scale: float) -> Allowed:
        """Return the tolerance divided by ``scale``."""
        return replace(self, limit=self.limit / scale)


INPUT_KINDS = ("parameter", "input", "mask")
"""Kinds of tensors (:attr:`parity.rungs.TensorRole.kind`) that are inputs, not results."""

EXACT = Allowed(0.0, "the same bits are loaded into both, nothing is computed")
"""For parameters and model inputs: examples, labels, masks."""

COUNTED = Allowed(0.0, "a count")
"""For the number of epochs of a training."""

FLOAT64: dict[str, Allowed] = {
    "parameters": EXACT,
    "forward_eval": Allowed(1e-12, "measured 3e-15 on every variant; sums of some thousand terms"),
    "forward_train": Allowed(1e-12, "measured 5e-14 where a batch has little variance, else 5e-15"),
    "loss": Allowed(1e-12, "measured 5e-15 on every variant"),
    "gradients": Allowed(1e-12, "measured 8e-14 where a loss is nearly flat, else 2e-14"),
    "step": Allowed(1e-11, "Adam divides by gradients as small as their own noise; measured 6e-12"),
    "steps": Allowed(1e-11, "ten steps let the first one's difference grow; measured 6e-12"),
    "predictions": Allowed(1e-11, "the k steps' weights on the whole test set; measured 8e-13"),
    "training": Allowed(1e-9, "thousands of steps let rounding grow; measured 1.2e-11"),
}
"""Tolerances of float64 for up to :data:`STEPS` optimizer steps, by rung.

Measured on the pairs of ``make soak`` and, where the difference is larger, on the default CNN with
``python -m benchmarks.tolerances --whole cnn --seeds 1 2 3 4 5 6``; whole trainings with ``parity
run --model rnn --cell lstm --optimizer sgd --learning-rate 0.1 --epochs 60`` (the default CNN with
Adam, five epochs of the whole Fashion-MNIST: 5.2e-13).
"""

MOST_ROUNDING = FLOAT64["training"].limit
"""The most that rounding may explain of a gradient in float64, below the smallest known fault."""

A_DIVISION = 2.0**-52
"""Relative difference of two accuracies, from the rounding of one division each."""

OF_A_STEP = 2.0**-46
"""Largest rounding error of one float64 optimizer step, relative to the weight."""

STEPS = 10
"""Number of steps beyond which rounding accumulates, and float64 also has an ensemble."""

NULL_GRADIENT = 1e-10
"""A gradient is null if no entry exceeds this share of the model's largest one, in float64.

The gradient of a bias upstream of batch norm is only rounding error: with TensorFlow on real images
up to 1e-12 of the largest gradient, while the smallest real one of the default CNN is 0.04 of it.
Both sides then pass an exact zero to the optimizer, as Adam divides by the size of the gradient and
would turn the rounding error into steps of full length.
"""

NULL_GRADIENT_FLOAT32 = 1e-3
"""The same share in float32, where up to 3.2e-4 was measured on the default CNN.

A larger gradient is compared like any other float32 tensor.
"""

NULL_SHARES = {"float64": NULL_GRADIENT, "float32": NULL_GRADIENT_FLOAT32}
"""Largest null gradient as a share of the model's largest gradient, by dtype."""

NULL_BATCHES = 10
"""Number of batches in which a null gradient must be negligible."""

ENSEMBLE = 6
"""Number of members of the float32 ensemble with weights changed by one ulp; further members have
other thread counts.

Each member also has another order of the examples in a batch. Keras 2's fused batch norm adds them
one after the other: with a single channel, its gradients differed by up to 7e-6 from float64, while
one ulp in the weights changed them by 6e-7, and another order by 1e-6 to 1e-5.

With 1, 3 and 6 the largest ratio of :data:`ENSEMBLE_MULTIPLE` was 1.76 each time, on twelve runs of
the default CNN (``python -m benchmarks.tolerances --whole cnn --seeds 1 2 3 4 5 6 --ensemble 1 3
6``), so the verdict does not depend on the number. Six members cover rare events: a value near
zero that falls on the other side of a relu. Ladders of more than :data:`STEPS` steps also have six
members in float64, with weights changed by one float64 ulp.
"""

ENSEMBLE_MULTIPLE = 4.0
"""Tolerance of float32 as a multiple of the measured rounding error.

The ratio of two single errors is noisy (up to 6 measured). Relative to the largest error of an
ensemble it was at most 2.3 over the 1,008 faithful pairs of ``make soak``, 0.57 of the tolerance.
"""

OF_AN_ULP = f"{ENSEMBLE_MULTIPLE:g} times the effect of one ulp in the weights"
"""Reason of a tolerance that an ensemble measures with its largest difference."""

PLAIN_WEIGHTS = 1e-3
"""Smallest difference of weights after some optimizer steps, relative to the largest entry, that
plain runs in float32 show.

Adam divides by gradients of the size of their own rounding. Keras's rounding is not measured there:
the suite's faithful pairs differ by up to 2e-4, while one ulp in PyTorch's weights may change
nothing. Omitted exclusions from weight decay and the like differ by 5e-2.
"""

FEW_ENTRIES = 8
"""For tensors of fewer entries, an ensemble does not measure the spread reliably: all members may
change a single bias very little by chance. Their tolerance follows from the widest relative spread
of all tensors of their kind up to the same step. (In a CNN of one channel, all tensors of batch
norm are single numbers.)
"""

ROUNDING_RMS = 16 * 2.0**-23
"""Smallest tolerance of a root mean square in float32, relative to the tensor's largest entry.

No member of an ensemble changes a sum that happens to be exact on one side, and adding its terms in
another order still costs some roundings.
"""

ROUNDING_MAX = ROUNDING_RMS
"""Smallest tolerance of a largest difference in float32, relative to the tensor's largest entry.

The largest difference is never below the root mean square: the same number is the stricter limit.
"""

LOSS_IN_FLOAT32 = Allowed(
    ENSEMBLE_MULTIPLE * ROUNDING_MAX, "the loss exists in float32 only, such as CTC", True
)
"""Smallest tolerance of losses, gradients and trained weights behind a loss that has no float64."""

SAME_CONSTANT = ROUNDING_MAX
"""Largest relative difference between two constants, or two functions of such, that are the same.

Keras rounds a Python float to float32, and a schedule computes its rate from some of them.
"""

BLIND = 0.1
"""Relative float32 tolerance from which a check detects hardly anything.

The report names such checks; float64 decides on what they let pass.
"""

SATURATED = 0.1
"""Spread of an ensemble, relative to a weight's largest entry, that covers its whole scale.

Four times it (:data:`ENSEMBLE_MULTIPLE`) is the size of the weights themselves: the root mean
square of a trained kernel is 0.2 to 0.35 of its largest entry. Such a tolerance passes any weights.
If half of all trained entries are in such tensors, weights are no longer compared; a single bias
that happens to be near zero is not enough.
"""

MARGINS: dict[str, Allowed] = {
    "loss": Allowed(
        0.03,
        "share of the reference's mean; faithful pairs spread by at most 0.008 measured (CNN on "
        "digits, 400 steps), dropout that is not rescaled moves it by 0.04 to 0.08",
    ),
    "accuracy": Allowed(
        0.025,
        "absolute; faithful pairs spread by at most 0.0075 measured on 364 test examples (CNN on "
        "digits, 400 steps), where one example is 0.0027",
    ),
    "predictions": Allowed(
        0.03,
        "absolute, per class; faithful pairs spread by at most 0.0086 measured, the same training",
    ),
}
"""Largest differences of means over seeds for equivalence, by quantity.

Each is over 3.3 times the largest standard deviation, over ten seeds, that was measured for the
paired difference of faithful pairs: PyTorch against Keras, or against itself from one ulp away. At
3 times, five seeds show a faithful pair in 99.98 % of cases; three seeds do in 88 %. This holds
past the first noise: while a CNN's running statistics settle, some 400 steps, its accuracy is
often undecided. Shown is that no difference beyond the margin is left, not that there is no fault:
Adam's epsilon of 1e-3 for 1e-7 leaves the CNN's accuracy within 0.002. Faults are for float64.
"""

LEVEL = 0.05
"""Significance level of each one-sided test."""

EQUAL_DIFFERENCES = 64 * 2.0**-52
"""Differences of several seeds are equal if they spread by less than this share of the largest
value or margin: rounding, which would give a t test a variance to divide by.
"""


def allowed_float64(
    kind: str, rung: str, step: int, spread: float = 0.0, step_difference: float = 0.0
) -> Allowed:
    """Return the relative difference that float64 allows: the table's, or a larger exception.

    Args:
        kind: the tensor's :attr:`parity.rungs.TensorRole.kind`.
        rung: its rung.
        step: number of the optimizer step after which it was recorded, from 1.
        spread: spread of an ensemble, relative to the tensor's largest entry.
        step_difference: effect of the gradients' difference on this weight after one step (see
            :func:`parity.reference.optimizers.step.step_difference`), relative to the weight's
            largest entry.
    """
    if kind in INPUT_KINDS:
        return EXACT
    rows = [FLOAT64[rung]]
    if kind == "weight":
        reason = "the gradient's difference, as far as the optimizer can amplify it"
        rows.append(Allowed(min(step, STEPS) * step_difference, reason, True))
    if rounding_counts(rung, step):
        most = MOST_ROUNDING if rung == "gradients" else math.inf
        rows.append(Allowed(min(ENSEMBLE_MULTIPLE * spread, most), OF_AN_ULP, True))
    return max(rows, key=lambda row: row.limit)


def rounding_counts(rung: str, step: int) -> bool:
    """Return whether an ensemble widens the tolerance of float64.

    Batch norm over few values divides by a small difference, which magnifies the rounding of the
    gradients before it; more than :data:`STEPS` steps let rounding accumulate.
    """
    return rung == "gradients" or (step > STEPS and rung in ("steps", "predictions"))


def allowed_float32(scale: float, other_error: float, spreads: tuple[float, ...]) -> Allowed:
    """Return the RMS difference from the reference's float64 that one side's float32 may have.

    Args:
        scale: largest absolute entry of the reference's float64 tensor.
        other_error: RMS difference of the other side's float32 from that same tensor.
        spreads: for each side, the largest RMS difference of an ensemble member (the same backend
            with weights changed by one ulp, or other threads) from that side's float32.

    Returns:
        The allowed RMS difference, in the unit of the tensor.
    """
    explained = ENSEMBLE_MULTIPLE * max(other_error, *spreads)
    if explained > ROUNDING_RMS * scale:
        return Allowed(explained, f"{ENSEMBLE_MULTIPLE:g} times what rounding explains")
    return Allowed(ROUNDING_RMS * scale, "sixteen roundings of the largest entry, always allowed")


def negligible_gradients(largest: Mapping[Parameter, float]) -> frozenset[Parameter]:
    """Return the parameters whose gradient in one batch is at most rounding error.

    Args:
        largest: largest absolute entry of each gradient in float64, by parameter.

    Returns:
        Parameters with at most :data:`NULL_GRADIENT` of the largest finite entry, zeros included.
    """
    limit = NULL_GRADIENT * max((one for one in largest.values() if one < math.inf), default=0.0)
    return frozenset(name for name, value in largest.items() if value <= limit)
