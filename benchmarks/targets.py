"""What was to be reached, held against what was measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.figures import Figure, figure, ratio, text

FRAMEWORKS = ("Keras 2", "Keras 3", "PyTorch")
USUAL = {"Keras 2": "fit", "Keras 3": "fit", "PyTorch": "DataLoader loop"}
"""What tutorials teach, by framework."""

KERAS = FRAMEWORKS[:2]
MLP, CNN, LSTM = "MLP 784-256-10, batch 256", "CNN 32-64, batch 64", "LSTM 64 on 28x28, batch 64"
ALL = "all models"

Found = Mapping[str, Any]
Named = Iterator[tuple[str, Figure]]
Figures = Callable[[Found], Named]


@dataclass(frozen=True)
class Target:
    """Something that was to be reached.

    Attributes:
        what: in words.
        wanted: the number.
        at_least: whether more is better; else less is.
        of: the figures that it holds for, by name, of all results; all of them must reach it.
        part: of the results.
        unit: behind the numbers.
    """

    what: str
    wanted: float
    at_least: bool
    of: Figures
    part: str = "throughput"
    unit: str = ""

    def row(self, found: Found) -> list[str]:
        """What, wanted, the worst of the figures, whose, whether its median is as wanted.

        Empty where nothing of it was measured.
        """
        figures = dict(self.of(found.get(self.part, {})))
        if not figures:
            return []
        order = min if self.at_least else max
        name = order(figures, key=lambda one: figures[one]["median"])
        value = figures[name]["median"]
        reached = value >= self.wanted if self.at_least else value <= self.wanted
        wanted = f"{'≥' if self.at_least else '≤'} {self.wanted:g}{self.unit}"
        measured = f"{text(figures[name])}{self.unit}"
        return [self.what, wanted, measured, name, "yes" if reached else "no"]


def rows(found: Found) -> list[list[str]]:
    """Of every target of which something was measured."""
    return [row for one in TARGETS if (row := one.row(found))]


def usual(framework: str, figures: Mapping[str, Figure]) -> Figure:
    """How many times as fast as what tutorials write."""
    usual = figures[f"{framework}: {USUAL[framework]}"]
    return ratio(usual, figures[f"{framework}: ours"])


def best(framework: str, figures: Mapping[str, Figure]) -> Figure:
    """How many times as fast as the faster of the loops by hand."""
    names = (f"{framework}: best loop by hand", f"{framework}: the same, compiled")
    fastest = min((figures[n] for n in names if n in figures), key=lambda one: one["median"])
    return ratio(fastest, figures[f"{framework}: ours"])


def floor(framework: str, figures: Mapping[str, Figure]) -> Figure:
    """How many times the time of the kernels alone."""
    return ratio(figures[f"{framework}: ours"], figures["floor"])


def _of(workload: str, function: Callable[[str, Any], Figure], *frameworks: str) -> Figures:
    """By framework, of one workload."""

    def figures(found: Found) -> Named:
        measured = found.get(workload, {})
        for one in frameworks:
            if f"{one}: ours" in measured:
                yield one, function(one, measured)

    return figures


def _against_best(family: str = "") -> Figures:
    """By framework and workload, of all, or of those whose name begins so."""

    def figures(found: Found) -> Named:
        for workload, measured in found.items():
            if workload.startswith(family):
                for one in FRAMEWORKS:
                    if f"{one}: ours" in measured:
                        yield f"{one}, {workload}", best(one, measured)

    return figures


def _of_fit(found: Found) -> Named:
    for model, seconds in found.items():
        for framework, ours in (("Keras 2", "keras_impl"), ("Keras 3", "keras_impl, Keras 3")):
            yield f"{framework}, {model}", ratio(seconds[ours], seconds[f"fit, {framework}"])


def _checks(found: Found) -> Named:
    yield from ((name, one["ratio"]) for name, one in found.items() if name != ALL)


def _at_once(found: Found) -> Named:
    if ALL in found:
        yield ALL, found[ALL]["ratio"]


def _compare(found: Found) -> Named:
    if found:
        yield "records", found["ratios"]["compare"]


def _memory(found: Found) -> Named:
    for size, one in found.get("memory", {}).items():
        yield f"{size} GB each", figure(value / 1e6 for value in one["rounds"])


def _start(command: str) -> Figures:
    def figures(found: Found) -> Named:
        if found:
            yield "start", found["start"][command]

    return figures


def _pairs(name: str, what: str, unit: float) -> Figures:
    """Of those whose name begins so."""

    def figures(found: Found) -> Named:
        for pair, one in found.items():
            if pair.startswith(name):
                yield pair, figure(value * unit for value in one[what]["rounds"])

    return figures


def _grown(found: Found) -> Named:
    """Memory with the most mapped data over that with the least."""
    sizes = [*found.get("data", {}).values()]
    for name in sizes[0] if sizes else ():
        yield name, figure([sizes[-1][name]["memory"] / sizes[0][name]["memory"]])


TRAINING = (
    Target("MLP against `fit`", 3, True, _of(MLP, usual, *KERAS)),
    Target("CNN against `fit`", 1.2, True, _of(CNN, usual, *KERAS)),
    Target("LSTM against `fit`", 2, True, _of(LSTM, usual, *KERAS)),
    Target("MLP against the `DataLoader` loop", 1.4, True, _of(MLP, usual, "PyTorch")),
    Target("CNN against the `DataLoader` loop", 1.25, True, _of(CNN, usual, "PyTorch")),
    Target("LSTM against the `DataLoader` loop", 1.05, True, _of(LSTM, usual, "PyTorch")),
    Target("all against the best loop by hand", 0.97, True, _against_best()),
    Target("shared masks against the best loop's own", 0.95, True, _against_best("dropout")),
    Target("MLP, times the floor", 1.8, False, _of(MLP, floor, *FRAMEWORKS)),
)
OTHER = (
    Target("first result, times `fit`'s", 1, False, _of_fit, "first result"),
    Target("check, times the trainings", 3, False, _checks, "check"),
    Target("both backends at once against in turn", 1.6, True, _at_once, "check"),
    Target("`parity compare` against `assert_close`", 10, True, _compare, "records"),
    Target("its memory", 400, False, _memory, "records", " MB"),
    Target("`parity --help`", 0.25, False, _start("parity --help"), "records", " s"),
    Target(
        "`parity compare`, small records", 0.5, False, _start("parity compare"), "records", " s"
    ),
    Target("memory of the most mapped data over the least", 1.05, False, _grown, "growth"),
    Target("check of MobileNetV2", 120, False, _pairs("Mobile", "seconds", 1.0), "pair", " s"),
    Target("check of 200 million weights", 8, False, _pairs("200", "memory", 1e-9), "pair", " GB"),
)
TARGETS = TRAINING + OTHER
