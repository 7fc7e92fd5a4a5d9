"""Which PyTorch weights may hold which Keras weights, by shape and, in order, by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from parity.adapters.trainer import UNOWNED, Key
from parity.adapters.transfer import Form, Shape, Transfer
from parity.pairs.align.forms import forms, packed
from parity.pairs.align.names import common_letters, stem


@dataclass(frozen=True)
class Slot:
    """A weight that has no counterpart of its name and shape.

    Attributes:
        key: layer and name, or the framework's own name and ``UNOWNED``.
        shape: its shape.
        known: whether its layer is of a known kind, whose weights have canonical names and axes.
        region: what can be compared to find its counterpart.
    """

    key: Key
    shape: Shape
    known: bool
    region: frozenset[int]

    @property
    def name(self) -> str:
        """Its name, with its layer's."""
        return self.key[0] if self.key[1] == UNOWNED else "/".join(self.key)

    def __str__(self) -> str:
        return f"{self.name} {self.shape}"


def _candidates(k: Slot, torch: Sequence[Slot]) -> list[tuple[Slot, Form]]:
    return [(t, form) for t in torch for form in forms(k.shape, t.shape, not t.known)]


Choice = tuple[Slot, Form]
"""A PyTorch weight and the form in which it holds a Keras weight."""


SYNONYMS = (
    {"gamma", "scale", "weight"},
    {"beta", "bias", "offset", "shift"},
    {"kernel", "weight", "w"},
    {"embeddings", "weight", "table"},
    {"bias", "b"},
)
"""Names of weights that commonly mean the same."""


def by_convention(choices: Sequence[list[Transfer]]) -> list[Transfer] | None:
    """The only assignment in which all names mean the same."""
    found = [choice for choice in choices if all(map(_synonyms, choice))]
    return found[0] if len(found) == 1 else None


def by_likeness(
    keras: Sequence[Slot], choices: Sequence[list[Choice]], first: list[Transfer]
) -> list[Transfer] | None:
    """The first assignment, if every name is like its counterpart's more than any other's."""
    for k, some, one in zip(keras, choices, first, strict=True):
        best = {t.key: _likeness(k, t) for t, _ in some}
        others = [like for key, like in best.items() if key != one.torch]
        forms_of_it = [form for t, form in some if t.key == one.torch]
        if len(forms_of_it) > 1 or best[one.torch] < 1 or max(others, default=0) >= best[one.torch]:
            return None
    return first


def _synonyms(one: Transfer) -> bool:
    keys = one.keras, one.torch
    names = {words(key[0] if key[1] == UNOWNED else key[1])[-1] for key in keys}
    return len(names) == 1 or any(names <= some for some in SYNONYMS)


def possible(keras: Sequence[Slot], torch: Sequence[Slot]) -> list[list[Choice]]:
    """PyTorch weights that may hold each Keras weight, the most like by name first."""
    choices = [_candidates(one, torch) for one in keras]
    if not all(choices) or len(torch) < len(keras):
        choices = _unpacked(keras, torch, choices)
    return [
        sorted(some, key=lambda one: -_likeness(k, one[0]))
        for k, some in zip(keras, choices, strict=True)
    ]


def _unpacked(
    keras: Sequence[Slot], torch: Sequence[Slot], choices: Sequence[list[Choice]]
) -> list[list[Choice]]:
    """Choices where several Keras weights of one shape may be packed in one PyTorch weight."""
    found = [list(some) for some in choices]
    for shape in dict.fromkeys(one.shape for one in keras):
        some = [n for n, one in enumerate(keras) if one.shape == shape]
        for count in (3, 2):
            if len(some) < count:
                continue
            for t in torch:
                for parts in packed(shape, t.shape, count, not t.known):
                    for n in some:
                        found[n] += [(t, form) for form in parts]
    return found


def assignments(
    keras: Sequence[Slot], choices: Sequence[Sequence[Choice]]
) -> Iterator[list[Transfer]]:
    """Assignments of all Keras weights of a group to PyTorch weights, or parts, of their own.

    First those where weights of one owner have one owner on the other side as well.
    """
    owners = [owner(one) for one in keras]

    def assign(
        n: int, together: bool, taken: dict[Key, set[Form]], held: dict[str, tuple[Any, ...]]
    ) -> Iterator[list[Transfer]]:
        if n == len(keras):
            yield []
            return
        for t, form in choices[n]:
            forms_taken = taken.get(t.key, set())
            if any(not _together(form, one) for one in forms_taken):
                continue
            place = owner(t), form.place, form.count, form.outer
            if together and held.get(owners[n], place) != place:
                continue
            more = {**taken, t.key: forms_taken | {form}}, held | {owners[n]: place}
            for others in assign(n + 1, together, *more):
                yield [Transfer(keras[n].key, t.key, form), *others]

    yield from assign(0, True, {}, {})
    yield from assign(0, False, {}, {})


def _together(first: Form, second: Form) -> bool:
    """Whether two parts of one weight are packed in the same way, in other places."""
    if first.count == 1 or second.count == 1:
        return False
    one, two = ((f.order, f.axis, f.count, f.outer) for f in (first, second))
    return one == two and first.place != second.place


def _likeness(k: Slot, t: Slot) -> float:
    """Letters that names have in common; names that commonly mean the same count as well."""
    layers = common_letters(stem(owner(k)), stem(owner(t)))
    return layers + 0.5 * _synonyms(Transfer(k.key, t.key, Form((), ())))


def owner(slot: Slot) -> str:
    """The layer, or part of it, that a weight belongs to."""
    parts = words(slot.name)
    if len(parts) > 1 and parts[-1] == parts[-2]:  # a function of the parameter alone
        parts.pop()
    return parts[-2] if len(parts) > 1 else parts[-1]


def words(name: str) -> list[str]:
    """Parts of a name, such as Keras's ``layer/kernel:0``."""
    return name.split(":")[0].replace(".", "/").split("/")


def sentences(keras: Sequence[Slot], torch: Sequence[Slot]) -> list[str]:
    """What is not known of each Keras weight: its shape and the nearest candidate's."""
    found = []
    for k in keras:
        same = [t for t in torch if any(forms(k.shape, t.shape, not t.known))]
        nearest = max(same or torch, key=lambda t: (_likeness(k, t), t.shape == k.shape))
        why = "more than one may be its counterpart" if len(same) > 1 else "none has its shape"
        found.append(f"Keras's {k} was not transferred: {why}; the nearest is PyTorch's {nearest}")
    return found
