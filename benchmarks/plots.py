"""Plot the growth of throughput."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

STYLES = {
    "Keras 2: ours": ("tab:red", "-"),
    "Keras 2: fit": ("tab:red", ":"),
    "PyTorch: ours": ("tab:blue", "-"),
    "PyTorch: DataLoader loop": ("tab:blue", ":"),
}
"""Colours distinguish the frameworks, line styles this project's training and the usual loops."""


def growth(found: Mapping[str, Any], path: Path) -> None:
    """One panel for each axis, all of :func:`benchmarks.growth.measured`, as a PNG."""
    figure, panels = plt.subplots(2, 2, figsize=(10, 7.5), layout="constrained")
    for panel, (axis, by_value) in zip(panels.flat, found.items(), strict=True):
        values = [float(value) for value in by_value]
        names = list(next(iter(by_value.values())))
        data = axis == "data"
        for name in names:
            speeds = [by_value[value][name] for value in by_value]
            if data:
                speeds = [speed["throughput"] for speed in speeds]
            colour, line = STYLES[name]
            panel.plot(values, speeds, color=colour, linestyle=line, marker="o", label=name)
        panel.set_xlabel("times Fashion-MNIST, mapped" if data else axis)
        panel.set_ylabel("examples per second")
        panel.set_xscale("log")
        panel.set_yscale("log")
        panel.set_xticks(values, [f"{value:g}" for value in values])
        panel.minorticks_off()
        panel.grid(alpha=0.3)
    panels.flat[0].legend()
    figure.savefig(path, dpi=110)
    plt.close(figure)
