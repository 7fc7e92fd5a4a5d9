"""Whether two ways of training give equally good models: an equivalence test over seeds.

Once rounding has spread the weights of a long float32 training over their whole scale, weights can
no longer be compared; loss, accuracy and predictions still can. Each seed gives one paired
difference, because both sides start from the same weights and see the same batches and masks.

The test is two one-sided t tests (TOST) on the mean of these differences: one against −margin, one
against +margin. Sources: Schuirmann, "A comparison of the two one-sided tests procedure and the
power approach", 1987; Lakens, "Equivalence tests", 2017.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from parity.errors import ParityError
from parity.numerics.tolerance import EQUAL_DIFFERENCES, LEVEL, MARGINS


@dataclass(frozen=True)
class Equivalence:
    """Result of an equivalence test over seeds; undecided if neither shown nor refuted.

    Attributes:
        name: loss (nats), accuracy or predictions (shares, 0 to 1).
        seeds: number of paired differences.
        mean: mean of the differences, other − reference; infinite if any is not finite.
        interval: its 90 % confidence interval (low, high).
        margin: largest difference that counts as equivalent, in the unit of ``mean``.
        p: larger of the two one-sided tests' p-values.
        note: the worst of several tests, if there were several.
    """

    name: str
    seeds: int
    mean: float
    interval: tuple[float, float]
    margin: float
    p: float
    note: str = ""

    @property
    def shown(self) -> bool:
        """Whether the interval is within ±margin, which means p < 0.05."""
        low, high = self.interval
        return -self.margin <= low and high <= self.margin

    @property
    def refuted(self) -> bool:
        """Whether the interval is entirely outside ±margin."""
        low, high = self.interval
        return low > self.margin or high < -self.margin


@dataclass(frozen=True, eq=False)
class SeedResults:
    """Results of one side's trained models on the same test set, one per seed, in order of seeds.

    Attributes:
        losses: mean training loss of the second half of all steps, in nats. The spread of the last
            epoch's loss, or of the test loss, is two to twelve times as large.
        accuracies: share of correct predictions on the test set, 0 to 1.
        labels: predicted classes, int64 (seeds, N).
    """

    losses: tuple[float, ...]
    accuracies: tuple[float, ...]
    labels: np.ndarray


def tost(
    name: str, reference: Sequence[float], other: Sequence[float], margin: float
) -> Equivalence:
    """Test whether the mean over seeds of ``other`` − ``reference`` is within ±margin.

    Args:
        name: name of the values.
        reference: one value per seed.
        other: the other side's values, for the same seeds in the same order.
        margin: in the values' unit, 0 or more; if it is not finite, equivalence is refuted.

    Returns:
        The result. A value that is not finite is an infinite difference and refutes equivalence.

    Raises:
        ParityError: fewer than two seeds, unequal numbers of them, or a negative margin.
    """
    if len(reference) != len(other):
        raise ParityError(
            f"{name}: received {len(reference)} seeds against {len(other)}, accepted: as many"
        )
    seeds = len(reference)
    if seeds < 2:
        raise ParityError(f"{name}: received {seeds} seeds, accepted: at least 2")
    if margin < 0:
        raise ParityError(f"{name}: margin: received {margin}, accepted: 0 or more")
    pairs = np.array([reference, other], np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        differences = pairs[1] - pairs[0]
    if not math.isfinite(margin):
        margin, differences = 0.0, np.full(seeds, math.inf)
    if not np.isfinite(differences).all():
        return Equivalence(name, seeds, math.inf, (math.inf, math.inf), margin, 1.0)
    unit = (
        max(float(np.abs(pairs).max()), margin) or 1.0
    )  # avoids overflow and underflow of squares
    scaled, limit = differences / unit, margin / unit
    mean = unit * float(scaled.mean())
    if np.ptp(scaled) <= EQUAL_DIFFERENCES:
        return Equivalence(name, seeds, mean, (mean, mean), margin, float(abs(mean) > margin))

    from scipy import stats  # its import takes most of a second

    above = stats.ttest_1samp(scaled, -limit, alternative="greater")
    below = stats.ttest_1samp(scaled, limit, alternative="less")
    low = unit * float(above.confidence_interval(1.0 - LEVEL).low)
    high = unit * float(below.confidence_interval(1.0 - LEVEL).high)
    p = max(float(above.pvalue), float(below.pvalue))
    return Equivalence(name, seeds, mean, (low, high), margin, p)


def over_seeds(reference: SeedResults, other: SeedResults) -> tuple[Equivalence, ...]:
    """Test loss, accuracy and predictions, in this order, with the margins of the tolerance table.

    For predictions, the share of each predicted class is tested, and the result of the class with
    the largest p is returned. Equivalence requires all classes and all three tests. Such an
    intersection–union test (Berger, 1982) needs no correction for the number of tests.

    Raises:
        ParityError: see :func:`tost`; or labels of unequal shapes, or none.
    """
    shapes = reference.labels.shape, other.labels.shape
    seeds = len(reference.losses)
    if shapes[0] != shapes[1] or len(shapes[0]) != 2 or shapes[0][0] != seeds or not shapes[0][1]:
        raise ParityError(
            f"predictions: received labels of shapes {shapes[0]} and {shapes[1]}, "
            f"accepted: ({seeds}, N) twice"
        )
    margin = MARGINS["loss"].limit * sum(map(abs, reference.losses)) / max(seeds, 1)
    shares = []
    for number in np.union1d(reference.labels, other.labels):
        a, b = ((side.labels == number).mean(1).tolist() for side in (reference, other))
        share = tost("predictions", a, b, MARGINS["predictions"].limit)
        shares.append(replace(share, note=f"class {number}"))
    return (
        tost("loss", reference.losses, other.losses, margin),
        tost("accuracy", reference.accuracies, other.accuracies, MARGINS["accuracy"].limit),
        max(shares, key=lambda share: (share.p, abs(share.mean))),
    )
