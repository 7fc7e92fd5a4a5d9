"""Compare the measured figures with the performance targets."""

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
    """One performance target.

    Attributes:
        what: description.
        wanted: the limit.
        at_least: whether the limit is a minimum; otherwise it is a maximum.
        of: returns the figures that the target applies to, by name; all of them must reach it.
        part: the section of the results that contains the figures.
        unit: printed after the numbers.
    """

    what: str
    wanted: float
    at_least: bool
    of: Figures
    part: str = "throughput"
    unit: str = ""

    def row(self, found: Found) -> list[str]:
        """The table row: description, limit, worst figure, its name, whether its median is reached.

        Empty if none of its figures was measured.
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
    """The table rows of all targets with measured figures."""
    return [row for one in TARGETS if (row := one.row(found))]


def usual(framework: str, figures: Mapping[str, Figure]) -> Figure:
    """Speed relative to the usual loop in tutorials."""
    usual = figures[f"{framework}: {USUAL[framework]}"]
    return ratio(usual, figures[f"{framework}: ours"])


def best(framework: str, figures: Mapping[str, Figure]) -> Figure:
    """Speed relative to the fastest hand-written loop."""
    names = (f"{framework}: best loop by hand", f"{framework}: the same, compiled")
    fastest = min((figures[n] for n in names if n in figures), key=lambda one: one["median"])
    return ratio(fastest, figures[f"{framework}: ours"])


def floor(framework: str, figures: Mapping[str, Figure]) -> Figure:
    """Time relative to that of the kernels alone."""
    return ratio(figures[f"{framework}: ours"], figures["floor"])


def _of(workload: str, function: Callable[[str, Any], Figure], *frameworks: str) -> Figures:
    """A function that returns the ratio of one workload, by framework."""

    def figures(found: Found) -> Named:
        measured = found.get(workload, {})
        for one in frameworks:
            if f"{one}: ours" in measured:
                yield one, function(one, measured)

    return figures


def _against_best(family: str = "") -> Figures:
    """A function that returns ratios to the best loop, for workloads named ``family``…."""

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
    """A function that returns a figure of all pairs that begin with ``name``."""

    def figures(found: Found) -> Named:
        for pair, one in found.items():
            if pair.startswith(name):
                yield pair, figure(value * unit for value in one[what]["rounds"])

    return figures


def _grown(found: Found) -> Named:
    """Memory with the largest mapped data, divided by that with the smallest."""
    sizes = [*found.get("data", {}).values()]
    for name in sizes[0] if sizes else ():
        yield name, figure([sizes[-1][name]["memory"] / sizes[0][name]["memory"]])


TRAINING = (
    Target("MLP, speed relative to `fit`", 3, True, _of(MLP, usual, *KERAS)),
    Target("CNN, speed relative to `fit`", 1.2, True, _of(CNN, usual, *KERAS)),
    Target("LSTM, speed relative to `fit`", 2, True, _of(LSTM, usual, *KERAS)),
    Target("MLP, speed relative to the `DataLoader` loop", 1.4, True, _of(MLP, usual, "PyTorch")),
    Target("CNN, speed relative to the `DataLoader` loop", 1.25, True, _of(CNN, usual, "PyTorch")),
    Target(
        "LSTM, speed relative to the `DataLoader` loop", 1.05, True, _of(LSTM, usual, "PyTorch")
    ),
    Target("all, speed relative to the best hand-written loop", 0.97, True, _against_best()),
    Target(
        "shared masks, speed relative to the best loop with its own",
        0.95,
        True,
        _against_best("dropout"),
    ),
    Target("MLP, time relative to the floor", 1.8, False, _of(MLP, floor, *FRAMEWORKS)),
)
OTHER = (
    Target("first result, time relative to `fit`", 1, False, _of_fit, "first result"),
    Target("check, time relative to training", 3, False, _checks, "check"),
    Target("both backends at once, speed relative to in turn", 1.6, True, _at_once, "check"),
    Target("`parity compare`, speed relative to `assert_close`", 10, True, _compare, "records"),
    Target("`parity compare`, memory", 400, False, _memory, "records", " MB"),
    Target("`parity --help`", 0.25, False, _start("parity --help"), "records", " s"),
    Target(
        "`parity compare`, small records", 0.5, False, _start("parity compare"), "records", " s"
    ),
    Target(
        "memory with the largest mapped data relative to the smallest",
        1.05,
        False,
        _grown,
        "growth",
    ),
    Target("check of MobileNetV2", 120, False, _pairs("Mobile", "seconds", 1.0), "pair", " s"),
    Target("check of 200 million weights", 8, False, _pairs("200", "memory", 1e-9), "pair", " GB"),
)
TARGETS = TRAINING + OTHER
