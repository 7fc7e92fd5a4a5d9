"""Compare two records rung by rung and reach a verdict."""

from __future__ import annotations

from dataclasses import dataclass

from parity import checks, rungs
from parity.checks import Check
from parity.constants import DTYPES
from parity.errors import ParityError
from parity.pair import Pair
from parity.record import Record
from parity.specs.run import differences

BLIND = 0.1
"""A float32 limit from here on, relative to the tensor's largest entry, judges hardly anything."""


@dataclass(frozen=True)
class NullGradient:
    """A parameter whose true gradient is zero on both sides: reported, its gradient not judged.

    ``largest`` is its gradient's largest entry in float64, for each side: rounding alone.
    """

    parameter: str
    largest: tuple[float, float]


@dataclass(frozen=True)
class Comparison:
    """Two records held against each other.

    Attributes:
        checks: every check, in the order of the ladder; gradients from the loss back.
        null_gradients: parameters whose gradients are left out of the verdict.
        notes: sentences for the report.
    """

    reference: Record
    other: Record
    checks: tuple[Check, ...]
    null_gradients: tuple[NullGradient, ...]
    notes: tuple[str, ...]

    @property
    def sides(self) -> tuple[str, str]:
        """What to call (the reference, the other)."""
        return checks.sides_of(self.reference, self.other)

    @property
    def failed(self) -> tuple[Check, ...]:
        """Checks that did not pass, in the order of the ladder."""
        return tuple(check for check in self.checks if not check.ok)

    @property
    def same(self) -> bool:
        """The verdict."""
        return not self.failed

    @property
    def decisive(self) -> bool:
        """Whether float64 was recorded; float32 alone gives a weaker verdict."""
        return "float64" in self.reference.header.dtypes

    @property
    def first(self) -> Check | None:
        """The first divergence: the first failed check of float64, else that of float32."""
        return min(self.failed, key=lambda check: DTYPES.index(check.dtype), default=None)

    @property
    def blind(self) -> tuple[Check, ...]:
        """Checks of float32 whose limit is so wide that they say next to nothing."""
        return tuple(
            check for check in self.checks if check.dtype == "float32" and check.allowed >= BLIND
        )

    def worst(self, dtype: str, rung: str) -> Check | None:
        """The check of a rung that comes nearest to its limit, or passes it furthest."""
        found = [check for check in self.checks if (check.dtype, check.rung) == (dtype, rung)]
        return max(found, key=lambda check: (not check.ok, check.severity), default=None)


def compare(a: Record, b: Record) -> Comparison:
    """Hold two ladder records against each other.

    Keras is the reference wherever it takes part, whatever the order of the arguments.

    Raises:
        ParityError: one is no ladder, or they are not of the same run, so that comparing them
            says nothing.
    """
    reference, other = (b, a) if b.header.backend == "keras" != a.header.backend else (a, b)
    _refuse_unequal_runs(reference, other)
    pair = Pair(reference, other)
    found = [*checks.forms(reference, other)]
    for record, side in zip((reference, other), pair.sides, strict=True):
        found += checks.trained(record, side)
    for name in pair.comparable():
        _, rung, rest = rungs.split(name)
        if rung != "gradients" or rest not in pair.null:
            found += pair.judged(name)
    null_gradients = []
    largest = {dtype: pair.largest_gradient(dtype) for dtype in DTYPES}
    for parameter, entries in pair.null.items():
        judged = pair.not_null(parameter, largest)
        for name in judged:
            found += pair.judged(name)
        if not any(name.startswith("float64") for name in judged):
            null_gradients.append(NullGradient(parameter, entries))
    found.sort(key=pair.place)
    notes = [*reference.header.notes, *other.header.notes, *pair.notes()]
    return Comparison(
        reference, other, tuple(found), tuple(null_gradients), tuple(dict.fromkeys(notes))
    )


def _refuse_unequal_runs(a: Record, b: Record) -> None:
    for record in (a, b):
        if record.header.kind != "ladder":
            raise ParityError(
                f"{record.path}: kind: received {record.header.kind!r}, accepted: 'ladder' "
                "(made by the command record)"
            )
    unequal = [
        f"{name} ({x!r} against {y!r})"
        for name, x, y in (
            *differences(a.header.spec, b.header.spec),
            *(
                (name, getattr(a.header, name), getattr(b.header, name))
                for name in ("steps", "dtypes")
                if getattr(a.header, name) != getattr(b.header, name)
            ),
        )
    ]
    if unequal:
        raise ParityError(
            f"{a.path} and {b.path} record different runs: {', '.join(unequal)}; "
            "record both with the same flags"
        )
