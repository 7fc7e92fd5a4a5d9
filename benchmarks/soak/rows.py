"""The matrix of clean pairs that ``benchmarks.soak`` runs.

A covering design. Every variant meets each of the four first optimizers with either Keras, each
time in both dtypes; so does every variant of ``cases.TRAINED_SO`` in every recipe. Seeds and thread
counts rotate along: the seeds by one from row to row and from variant to variant, the threads from
optimizer to optimizer, from Keras to Keras and from variant to variant. So

- a variant meets all seven seeds, and both thread counts with either Keras;
- a variant with one of these optimizers meets both thread counts, one with each Keras;
- an optimizer with one Keras meets every seed on every thread count.

Of the other optimizers, which know as little of models, a variant meets one with Keras 2 and one
with Keras 3, in rotation; the last sentence holds for them as well.

:func:`product` is everything with everything.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from parity.constants import FLAVOURS
from parity.specs.run import Spec
from parity_tests.support import cases

SEEDS = tuple(range(7))
"""Seven: prime to the numbers of first optimizers, Kerases and thread counts, so that rotation
meets all."""

THREADS = (1, 2)

FIRST = cases.OPTIMIZERS[:4]
OTHERS = cases.OPTIMIZERS[4:]

SLICE = 60
"""Pairs at most that one process runs: each leaves some 15 MB behind."""


@dataclass(frozen=True)
class Row:
    """One clean pair."""

    family: str
    variant: str
    recipe: str
    optimizer: str
    flavour: str
    seed: int
    threads: int

    @property
    def name(self) -> str:
        """Unlike any other row's."""
        parts = (self.family, self.variant, self.recipe, self.optimizer, self.flavour)
        return "-".join([*filter(None, parts), f"seed{self.seed}", f"threads{self.threads}"])

    def spec(self) -> Spec:
        """The whole spec; the threads are no part of it."""
        fields = cases.RECIPES[self.recipe] if self.recipe else {}
        return cases.spec_of(
            self.family,
            self.variant,
            self.optimizer,
            flavour=self.flavour,
            seed=self.seed,
            **fields,
        )


def rows() -> list[Row]:
    """The covering design, in a fixed order."""
    found = []
    for number, case in enumerate(_cases()):
        for f, flavour in enumerate(FLAVOURS):
            for o, optimizer in enumerate(FIRST):
                seed = SEEDS[(number + f * len(FIRST) + o) % len(SEEDS)]
                threads = THREADS[(number + f + o) % len(THREADS)]
                found.append(Row(*case, optimizer, flavour, seed, threads))
            rounds, o = divmod(number + f * (len(OTHERS) // 2), len(OTHERS))
            seed, threads = SEEDS[(rounds + o) % len(SEEDS)], THREADS[(rounds + f) % len(THREADS)]
            found.append(Row(*case, OTHERS[o], flavour, seed, threads))
    return found


def product() -> list[Row]:
    """Every case with every optimizer, Keras, seed and thread count, in a fixed order."""
    settings = list(itertools.product(cases.OPTIMIZERS, FLAVOURS, SEEDS, THREADS))
    return [Row(*case, *setting) for case in _cases() for setting in settings]


def _cases() -> list[tuple[str, str, str]]:
    """Family, variant and recipe; most have none."""
    return [
        *((family, variant, "") for family, variant in cases.VARIANTS),
        *(
            (family, variant, recipe)
            for family, variant, _ in cases.TRAINED_SO
            for recipe in cases.RECIPES
        ),
    ]


def sample() -> list[Row]:
    """A fixed part of :func:`rows`: of each optimizer with each Keras one row in twenty.

    They lie evenly, and begin at another place each, so that all kinds of rows are among them.
    """
    whole, found = rows(), []
    for place, pair in enumerate(itertools.product(FLAVOURS, cases.OPTIMIZERS)):
        own = [row for row in whole if (row.flavour, row.optimizer) == pair]
        count = -(-len(own) // 20)
        found += [own[(7 * place + part * len(own) // count) % len(own)] for part in range(count)]
    return found


def slices(found: Iterable[Row], size: int = SLICE) -> list[list[Row]]:
    """Split into work for processes, each of one Keras and one thread count.

    Dealt like cards, so that every slice of a group has its share of slow models.
    """
    groups: dict[tuple[str, int], list[Row]] = {}
    for row in found:
        groups.setdefault((row.flavour, row.threads), []).append(row)
    dealt = []
    for group in groups.values():
        parts = -(-len(group) // size)
        dealt += [(part, group[part::parts]) for part in range(parts)]
    return [piece for _, piece in sorted(dealt, key=lambda entry: entry[0])]
