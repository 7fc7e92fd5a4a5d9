"""Compare two records rung by rung and reach a verdict."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from parity import rungs
from parity.constants import DTYPES
from parity.errors import ParityError
from parity.ladder.record import Record
from parity.numerics.equivalence import Equivalence, SeedResults, over_seeds
from parity.numerics.tolerance import BLIND, MARGINS, Allowed
from parity.specs.run import differences
from parity.verdict import checks, saturation
from parity.verdict.judge import Judge
from parity.verdict.location import located
from parity.verdict.null_gradients import NullGradient, NullGradients
from parity.verdict.order import in_order
from parity.verdict.record_float64 import RecordFloat64
from parity.verdict.record_pair import RecordPair
from parity.verdict.result import Check, worst


@dataclass(frozen=True)
class Comparison:
    """The comparison of two records.

    Attributes:
        checks: every check, in the order of the ladder; gradients from the loss back.
        null_gradients: parameters whose gradients are left out of the verdict.
        notes: sentences from the records, and about null gradients.
        replayed: checks of a replay, where every layer was given the reference's input.
        saturated: dtype to the step after which rounding alone decides the weights.
        equivalences: what is compared over seeds instead of the weights after that step.
        overrides: rows of the float64 table that the user replaced, by rung.
    """

    reference: Record
    other: Record
    checks: tuple[Check, ...]
    null_gradients: tuple[NullGradient, ...]
    notes: tuple[str, ...]
    replayed: tuple[Check, ...] = ()
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
    def first_replayed(self) -> Check | None:
        """The check of the first divergence's layer in the replay, failed if one of it failed.

        Everything upstream of the first divergence agrees, so what computed it is its origin. If
        the layer agrees where it has the reference's input, the difference arises between the
        layers, or rounding errors add up.
        """
        first = self.first
        found = [
            check
            for check in self.replayed
            if first and (check.location, check.rung) == (first.location, first.rung)
        ]
        return next((check for check in found if not check.ok), found[0] if found else None)

    @property
    def others_replayed(self) -> tuple[str, ...]:
        """Further layers that differ where they have the reference's input."""
        failed = dict.fromkeys(check.location for check in self.replayed if not check.ok)
        return tuple(name for name in failed if not self.first or name != self.first.location)

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
        return worst(c for c in self.checks if (c.dtype, c.rung) == (dtype, rung))


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
    pair = RecordPair(reference, other)
    null = NullGradients(pair)
    judge = _judge(pair, null, overrides)
    found = [*checks.forms(reference, other)]
    amiss = {check.tensor for check in found}
    for record, side in zip((reference, other), pair.sides, strict=True):
        found += checks.trained(record, side)
    found += judge.checks(pair.comparable(), null.parameters)
    for parameter in null.parameters:
        for name in null.to_judge(parameter):
            found += judge.check(name)
    tests = _over_seeds(reference, other, amiss) if judge.saturated.get("float32") else ()
    found += [_check_of(test, pair) for test in tests if not _undecided(test, reference)]
    notes = [*reference.header.notes, *other.header.notes, *null.notes()]
    return Comparison(
        reference,
        other,
        _in_order(found, pair),
        tuple(null.confirmed()),
        tuple(dict.fromkeys(notes)),
        replayed=_replayed(pair, null, replay, overrides) if replay else (),
        saturated={dtype: step for dtype, step in judge.saturated.items() if step},
        equivalences=tests,
        overrides=overrides or {},
    )


def _judge(pair: RecordPair, null: NullGradients, overrides: Mapping[str, Allowed] | None) -> Judge:
    saturated = {dtype: saturation.since(pair, dtype) for dtype in pair.header.dtypes}
    return Judge(pair, RecordFloat64(pair, null.parameters, overrides or {}), saturated)


def _in_order(found: Iterable[Check], pair: RecordPair) -> tuple[Check, ...]:
    """The checks with their location, in the order of the ladder."""
    where = [located(check, pair.reference, pair.other) for check in found]
    return in_order(where, pair.header)


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


def _check_of(test: Equivalence, pair: RecordPair) -> Check:
    """The larger bound of the confidence interval, compared with the margin."""
    low, high = test.interval
    return Check(
        "float32",
        "predictions",
        f"{test.name} over {test.seeds} seeds",
        max(abs(low), abs(high)),
        test.margin,
        side=pair.sides[1],
        reason=MARGINS[test.name].reason,
        notes=(
            f"mean difference {test.mean:.2g}, 90 % interval {low:.2g} to {high:.2g} {test.note}",
        ),
    )


def _replayed(
    pair: RecordPair, null: NullGradients, replay: Record, overrides: Mapping[str, Allowed] | None
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
    made = RecordPair(reference, replay)
    found = [
        *checks.forms_of_replay(reference, replay),
        *_judge(made, null, overrides).checks(made.comparable(), null.parameters),
    ]
    return _in_order(found, made)


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
