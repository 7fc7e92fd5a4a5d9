"""The page ``RESULTS.md``: measured figures, ratios first, then what bounds them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import targets
from benchmarks.figures import Figure, text
from benchmarks.targets import FRAMEWORKS

Found = Mapping[str, Any]


def page(found: Found) -> str:
    """The whole page, of the parts that were measured."""
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
        "# What it costs",
        "",
        f"Written by `{'make bench-quick' if about['quick'] else 'make bench'}`: {about['cores']} "
        f"cores ({about['machine']}), Python {about['python']}, {packages}. Each figure is a "
        "median; in brackets the least and the most. Contestants take turns, each in a process of "
        "its own.",
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
    """What was to be reached; the last section says what bounds what was not."""
    rows = targets.rows(found)
    if not rows:
        return []
    return [
        "## What was to be reached",
        "",
        "Where a target holds for several, the worst of them; reached if its median is.",
        "",
        *_table(["target", "wanted", "measured", "worst", "reached"], rows),
    ]


def _throughput(found: Found) -> list[str]:
    """Ratios of ours to the usual loop and to the best one, then all milliseconds."""
    lines = [
        "## Training",
        "",
        "How many times as fast ours trains: against what tutorials write (`fit`, the `DataLoader` "
        "loop), and against the best loop by hand in the same framework (compiled or not); round "
        "by round. Of the floor, how many times its time ours takes; it is made of PyTorch's "
        "kernels alone.",
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
    """Ours against the usual, the best by hand, and the floor; empty where one is lacking."""
    if f"{framework}: ours" not in figures:
        return ["", "", ""]
    ratios = (targets.usual, targets.best, targets.floor)
    return [text(ratio(framework, figures)) for ratio in ratios]


def _first_result(found: Found) -> list[str]:
    """Seconds to the first epoch's line."""
    lines = [
        "## The first result",
        "",
        "Seconds from the start of the command to the line of its first epoch (embedded "
        "Fashion-MNIST), imports and graphs included.",
        "",
    ]
    names = next(iter(found.values()))
    rows = [[name, *(text(by_name[name]) for by_name in found.values())] for name in names]
    return lines + _table(["", *found], rows)


def _check(found: Found) -> list[str]:
    """What a check costs against training, and both backends at once against in turn."""
    lines = [
        "## A check",
        "",
        "`parity run` with one model in float64 and float32, ensemble included, against `train` "
        "for as many steps (ten) in both frameworks and both dtypes: seconds of whole commands.",
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
        f"`compare` one after the other: {text(both['run'])} s against "
        f"{text(both['one after the other'])} s.",
    ]
    return lines


def _records(found: Found) -> list[str]:
    """Speeds of comparing, memory, start."""
    speeds, start = found["speeds"], found["start"]
    lines = [
        "## Comparing records",
        "",
        f"Two records, {found['size'] / 1e9:.2f} GB together, in the page cache; GB/s of both "
        "together. `compare` is the comparison with all its statistics, without start and "
        "checksums.",
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
    lines += ["", f"Most resident memory of `parity compare`: {memory}."]
    lines += ["", f"Start, in seconds (frameworks imported: {frameworks}):", ""]
    return lines + _table(["", "seconds"], [[name, text(one)] for name, one in start.items()])


def _pair(found: Found) -> list[str]:
    """What a check of a user's pair takes."""
    rows = [
        [name, one["verdict"], text(one["seconds"], digits=0), text(one["memory"], 1e-9, 1)]
        for name, one in found.items()
    ]
    return [
        "## A check of a pair",
        "",
        "`parity.check`, in float64 and, where the two are the same, in float32: seconds without "
        "building the two models, and the most resident memory, with them, in GB. MobileNetV2 has "
        "images of 224×224, four in a batch.",
        "",
        *_table(["", "verdict", "seconds", "GB"], rows),
    ]


def _tries(found: Found) -> list[str]:
    """Milliseconds per step of each try."""
    names = list(dict.fromkeys(name for by_name in found.values() for name in by_name))
    rounds = len(next(iter(next(iter(found.values())).values()))["rounds"])
    return [
        "## How the best loops by hand were found",
        "",
        f"Milliseconds per step, batch 64, {rounds} rounds, nothing of ours; each line adds to the "
        "one above it but where it says rather.",
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
    """The picture, and memory with mapped data."""
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
        "Mapped examples, softmax 784-128-10, batch 256: most resident memory and examples per "
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
