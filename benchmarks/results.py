"""Generate the page ``RESULTS.md``: measured figures, ratios first, then what limits them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import targets
from benchmarks.figures import Figure, text
from benchmarks.targets import FRAMEWORKS

Found = Mapping[str, Any]


def page(found: Found) -> str:
    """The whole page, with the sections that were measured."""
    parts = {
        "throughput": _throughput,
        "first result": _first_result,
        "check": _check,
        "records": _records,
        "pair": _pair,
        "growth": _growth,
        "tries": _tries,
    }
    about = found["about"]
    packages = ", ".join(f"{name} {number}" for name, number in about["packages"].items())
    lines = [
        "# Performance",
        "",
        f"Written by `{'make bench-quick' if about['quick'] else 'make bench'}`: {about['cores']} "
        f"cores ({about['machine']}), Python {about['python']}, {packages}. Each figure is a "
        "median; the smallest and the largest value are in brackets. Contestants take turns, each "
        "in its own process.",
    ]
    lines += ["", *_targets(found)]
    for name, part in parts.items():
        if name in found:
            lines += ["", *part(found[name])]
    notes = Path(__file__).with_name("bounds.md").read_text("utf-8")
    return "\n".join(lines) + "\n\n" + notes


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    aligned = [":--", *["--:"] * (len(head) - 1)]
    return [f"| {' | '.join(row)} |" for row in (head, aligned, *rows)]


def _targets(found: Found) -> list[str]:
    """The targets; the last section explains those that were not reached."""
    rows = targets.rows(found)
    if not rows:
        return []
    return [
        "## Targets",
        "",
        "Where a target applies to several cases, the worst one is shown; its median decides.",
        "",
        *_table(["target", "goal", "measured", "worst case", "reached"], rows),
    ]


def _throughput(found: Found) -> list[str]:
    """Speed relative to the usual and the best loop, then all times in milliseconds."""
    lines = [
        "## Training",
        "",
        "Speed of this project's training, as a multiple of the usual loop's in tutorials (`fit`, "
        "the `DataLoader` loop) and of the best hand-written loop's in the same framework "
        "(compiled or not), measured round by round. For the floor, which consists only of "
        "PyTorch's kernels: our time as a multiple of its time.",
        "",
    ]
    head = ["workload"]
    for framework in FRAMEWORKS:
        head += [f"{framework}: usual", "best", "floor"]
    rows = []
    for workload, by_name in found.items():
        row = [workload]
        for framework in FRAMEWORKS:
            row += _ratios(framework, by_name)
        rows.append(row)
    lines += _table(head, rows)
    names = list(dict.fromkeys(name for by_name in found.values() for name in by_name))
    lines += ["", "Milliseconds per step:", ""]
    lines += _table(
        ["", *found],
        [
            [name, *(text(one[name], 1e3) if name in one else "" for one in found.values())]
            for name in names
        ],
    )
    return lines


def _ratios(framework: str, figures: Mapping[str, Figure]) -> list[str]:
    """Ratios to the usual loop, the best hand-written loop and the floor; empty if not measured."""
    if f"{framework}: ours" not in figures:
        return ["", "", ""]
    ratios = (targets.usual, targets.best, targets.floor)
    return [text(ratio(framework, figures)) for ratio in ratios]


def _first_result(found: Found) -> list[str]:
    """Seconds until the first epoch is reported."""
    lines = [
        "## The first result",
        "",
        "Seconds from the start of the command until it prints its first epoch (embedded "
        "Fashion-MNIST), including imports and building graphs.",
        "",
    ]
    names = next(iter(found.values()))
    rows = [[name, *(text(by_name[name]) for by_name in found.values())] for name in names]
    return lines + _table(["", *found], rows)


def _check(found: Found) -> list[str]:
    """The cost of a check relative to training, and of both backends at once or in turn."""
    lines = [
        "## A check",
        "",
        "`parity run` with one model in float64 and float32, including the ensemble, compared with "
        "`train` for as many steps (ten) in both frameworks and both dtypes: seconds per command.",
        "",
    ]
    models = {name: one for name, one in found.items() if name != "all models"}
    lines += _table(
        ["model", "times the trainings", "check", "trainings"],
        [
            [name, text(one["ratio"]), text(one["check"]), text(one["training"])]
            for name, one in models.items()
        ],
    )
    both = found.get("all models")
    if not both:
        return lines
    lines += [
        "",
        f"All models: `parity run` is {text(both['ratio'])} times as fast as both `record` and "
        f"`compare` one after the other: {text(both['run'])} s instead of "
        f"{text(both['one after the other'])} s.",
    ]
    return lines


def _records(found: Found) -> list[str]:
    """Speed and memory of comparing records, and the time to start."""
    speeds, start = found["speeds"], found["start"]
    lines = [
        "## Comparing records",
        "",
        f"Two records, {found['size'] / 1e9:.2f} GB in total, in the page cache; GB/s of both "
        "together. `compare` is the comparison with all its statistics, without the start of the "
        "process and without checksums.",
        "",
    ]
    lines += _table(
        ["", "times assert_close", "GB/s"],
        [[name, text(found["ratios"][name], digits=1), text(one)] for name, one in speeds.items()],
    )
    memory = ", ".join(
        f"{one['median'] / 1e6:.0f} MB with records of {size} GB"
        for size, one in found["memory"].items()
    )
    frameworks = ", ".join(found["frameworks"]) or "none"
    lines += ["", f"Peak resident memory of `parity compare`: {memory}."]
    lines += ["", f"Start, in seconds (frameworks imported: {frameworks}):", ""]
    return lines + _table(["", "seconds"], [[name, text(one)] for name, one in start.items()])


def _pair(found: Found) -> list[str]:
    """Time and memory of checking a user's pair."""
    rows = [
        [name, one["verdict"], text(one["seconds"], digits=0), text(one["memory"], 1e-9, 1)]
        for name, one in found.items()
    ]
    return [
        "## A check of a pair",
        "",
        "`parity.check` in float64 and, if the two models are the same, in float32: seconds, "
        "without building the two models, and peak resident memory in GB, including the models. "
        "MobileNetV2 has a batch of four images, 224×224.",
        "",
        *_table(["", "verdict", "seconds", "GB"], rows),
    ]


def _tries(found: Found) -> list[str]:
    """Milliseconds per step of each attempt."""
    names = list(dict.fromkeys(name for by_name in found.values() for name in by_name))
    rounds = len(next(iter(next(iter(found.values())).values()))["rounds"])
    return [
        "## How the best hand-written loops were found",
        "",
        f"Milliseconds per step, batch 64, {rounds} rounds, without this project's code; each row "
        "adds to the one above it, unless it says 'rather'.",
        "",
        *_table(
            ["", *found],
            [
                [name, *(text(one[name], 1e3) if name in one else "" for one in found.values())]
                for name in names
            ],
        ),
    ]


def _growth(found: Found) -> list[str]:
    """The plot, and memory and speed with mapped data."""
    rows = [
        [
            f"{float(times):g}",
            *(f"{one[name]['memory'] / 1e6:.0f} MB" for name in one),
            *(f"{one[name]['throughput']:,.0f}" for name in one),
        ]
        for times, one in found["data"].items()
    ]
    names = list(next(iter(found["data"].values())))
    return [
        "## Growth",
        "",
        "![Examples per second against batch size, width, sequence length and data](growth.png)",
        "",
        "Mapped examples, softmax 784-128-10, batch 256: peak resident memory and examples per "
        "second of one epoch.",
        "",
        *_table(
            [
                "times Fashion-MNIST",
                *(f"memory, {name}" for name in names),
                *(f"examples/s, {name}" for name in names),
            ],
            rows,
        ),
    ]
