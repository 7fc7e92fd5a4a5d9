"""Compare two records rung by rung and reach a verdict."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from parity import rungs
from parity.constants import DTYPES
from parity.errors import ParityError
from parity.ladder.record import Record
from parity.numerics.equivalence import Equivalence, SeedResults, over_seeds
from parity.numerics.tolerance import BLIND, MARGINS, Allowed
from parity.specs.run import differences
from parity.verdict import checks
from parity.verdict.blame import Blame, blame
from parity.verdict.checks import Check
from parity.verdict.judge import Judge
from parity.verdict.null_gradients import NullGradient, NullGradients
from parity.verdict.order import in_order
from parity.verdict.record_pair import Pair


@dataclass(frozen=True)
class Comparison:
    """The comparison of two records.

    Attributes:
        checks: every check, in the order of the ladder; gradients from the loss back.
        null_gradients: parameters whose gradients are left out of the verdict.
        notes: sentences from the records, and about null gradients.
        own: checks of a replay, where every layer was given the reference's input.
        saturated: dtype to the step after which rounding alone decides the weights.
        equivalences: what is compared over seeds instead of the weights after that step.
        overrides: rows of the float64 table that the user replaced, by rung.
    """

    reference: Record
    other: Record
    checks: tuple[Check, ...]
    null_gradients: tuple[NullGradient, ...]
    notes: tuple[str, ...]
    own: tuple[Check, ...] = ()
    saturated: Mapping[str, int] = field(default_factory=dict)
    equivalences: tuple[Equivalence, ...] = ()
    overrides: Mapping[str, Allowed] = field(default_factory=dict)

    @property
    def sides(self) -> tuple[str, str]:
        """The names of both sides, the reference first."""
        return checks.sides_of(self.reference, self.other)

    @property
    def failed(self) -> tuple[Check, ...]:
        """Checks that did not pass, in the order of the ladder."""
        return tuple(check for check in self.checks if not check.ok)

    @property
    def same(self) -> bool:
        """Whether every check passed."""
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
    def blame(self) -> Blame | None:
        """The location of the first divergence."""
        layers = [layer.name for layer in self.reference.header.spec.model.layers()]
        pair = (self.reference, self.other)
        return blame(self.first, pair, self.own, layers) if self.first else None

    @property
    def in_a_layer(self) -> bool:
        """Whether a replay of the layers could locate the first divergence more precisely."""
        found = self.first
        return bool(
            found and found.dtype == "float64" and found.rung in (*rungs.FORWARD, "gradients")
        )

    @property
    def blind(self) -> tuple[Check, ...]:
        """Checks of float32 whose tolerance is so wide that they show almost nothing."""
        return tuple(
            check for check in self.checks if check.dtype == "float32" and check.allowed >= BLIND
        )

    def worst(self, dtype: str, rung: str) -> Check | None:
        """The check of a rung that fails by most, or is nearest to failing."""
        found = [check for check in self.checks if (check.dtype, check.rung) == (dtype, rung)]
        return max(found, key=lambda check: (not check.ok, check.severity), default=None)


def compare(
    a: Record,
    b: Record,
    replay: Record | None = None,
    overrides: Mapping[str, Allowed] | None = None,
) -> Comparison:
    """Compare two ladder records.

    If only one of them is Keras's, it is the reference, whatever the order of the arguments.

    Args:
        a: a record.
        b: the other.
        replay: the other's layers, each given the reference's input.
        overrides: rows of the float64 table to replace, by rung, each with its reason.

    Raises:
        ParityError: one is not a ladder, they are of different runs, or the replay is of others.
    """
    reference, other = (b, a) if b.header.backend == "keras" != a.header.backend else (a, b)
    _refuse_unequal_runs(reference, other)
    pair = Pair(reference, other)
    null = NullGradients(pair)
    judge = Judge(pair, null.parameters, overrides)
    found = [*checks.forms(reference, other)]
    amiss = {check.tensor for check in found}
    for record, side in zip((reference, other), pair.sides, strict=True):
        found += checks.trained(record, side)
    found += judge.checks()
    for parameter in null.parameters:
        for name in null.to_judge(parameter):
            found += judge.check(name)
    tests = _over_seeds(reference, other, amiss) if judge.saturated.get("float32") else ()
    found += [_check_of(test, pair) for test in tests if not _undecided(test, reference)]
    notes = [*reference.header.notes, *other.header.notes, *null.notes()]
    return Comparison(
        reference,
        other,
        in_order(found, pair.header),
        tuple(null.confirmed()),
        tuple(dict.fromkeys(notes)),
        own=_own(pair, null, replay, overrides) if replay else (),
        saturated={dtype: step for dtype, step in judge.saturated.items() if step},
        equivalences=tests,
        overrides=overrides or {},
    )


def _over_seeds(
    reference: Record, other: Record, amiss: Collection[str]
) -> tuple[Equivalence, ...]:
    """The equivalence tests, where both sides trained from several seeds.

    None where one of their tensors is ``amiss``, which is a failed check of its own.
    """
    names = [f"over_seeds/{name}" for name in rungs.OVER_SEEDS]
    if reference.header.seeds < 2 or set(names) & set(amiss):
        return ()
    results = []
    for record in (reference, other):
        labels, accuracies, losses = (
            record.tensor(rungs.join("float32", "predictions", name)) for name in names
        )
        results.append(SeedResults(tuple(losses), tuple(accuracies), labels))
    return over_seeds(*results)


def _undecided(test: Equivalence, reference: Record) -> bool:
    """Whether more seeds are needed, while float64 decides the verdict."""
    return not test.shown and not test.refuted and "float64" in reference.header.dtypes


def _check_of(test: Equivalence, pair: Pair) -> Check:
    """The larger bound of the confidence interval, compared with the margin."""
    low, high = test.interval
    return Check(
        "float32",
        "predictions",
        f"{test.name} over {test.seeds} seeds",
        max(abs(low), abs(high)),
        test.margin,
        note=f"mean difference {test.mean:.2g}, 90 % interval {low:.2g} to {high:.2g} {test.note}",
        side=pair.sides[1],
        reason=MARGINS[test.name].reason,
    )


def _own(
    pair: Pair, null: NullGradients, replay: Record, overrides: Mapping[str, Allowed] | None
) -> tuple[Check, ...]:
    """Checks of the layers that were given the reference's input."""
    header, reference, other = replay.header, pair.reference, pair.other
    if (header.kind, header.teacher, header.backend, header.spec) != (
        "replay",
        reference.sha256,
        other.header.backend,
        other.header.spec,
    ):
        raise ParityError(
            f"{replay.path}: received a {header.kind} record of {header.backend}, accepted: "
            f"what {other.header.backend} makes of {reference.path} by the command replay"
        )
    judge = Judge(Pair(reference, replay), null.parameters, overrides)
    found = [*checks.forms_of_replay(reference, replay), *judge.checks()]
    return in_order(found, pair.header)


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
                for name in ("steps", "dtypes", "seeds", "epochs")
                if getattr(a.header, name) != getattr(b.header, name)
            ),
        )
    ]
    if unequal:
        raise ParityError(
            f"{a.path} and {b.path} record different runs: {', '.join(unequal)}; "
            "record both with the same flags"
        )
