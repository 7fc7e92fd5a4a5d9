"""Throughput for growing batches, widths, sequences and data, compared with the usual loops."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.throughput.turns import Turns
from benchmarks.throughput.workloads import IMAGE, WORKLOADS, Workload

CONTESTANTS = ("Keras 2: ours", "Keras 2: fit", "PyTorch: ours", "PyTorch: DataLoader loop")
FASHION_MNIST = 60_000

MAPPED = """
import json, statistics, sys, time
import numpy as np
from benchmarks.throughput.ours import spec_of
from benchmarks.growth import DENSE
from parity.data import batches
from parity.ladder import fit
from parity.adapters.backend import Settings, load
from parity.data.datasets import Split
from parity.system.memory import PeakMemory
implementation, path = sys.argv[1:]
x = np.load(path, mmap_mode="r")
y = np.arange(len(x)) % 10
spec = spec_of(DENSE)
model = load(implementation, Settings("tf_keras")).create(spec, "float32")
model.feed(Split(x, y, None))
steps = batches.steps_per_epoch(spec.training, len(x))
speeds, peak, began = [], PeakMemory(), time.perf_counter()
for chunk in batches.chunks(spec, len(x), steps, fit.CHUNK_STEPS):
    model.train(chunk)
    ended = time.perf_counter()
    if chunk.steps > 1:
        speeds.append(chunk.order.size / (ended - began))
    began = ended
told = {"throughput": statistics.median(speeds[1:]), "memory": peak.bytes()}
print(json.dumps(told))
"""
"""One epoch over mapped examples: examples per second of whole chunks of steps but the first, and
the most memory that it took."""


def _named(name: str) -> Workload:
    return next(one for one in WORKLOADS if (one.name, one.batch) == (name, 64))


DENSE = dataclasses.replace(_named("softmax"), batch=256)


def measured(repeats: int, quick: bool = False) -> dict[str, Any]:
    """Examples per second of each contestant, by axis and by value along it.

    ``data`` is of mapped examples, with the most memory, in bytes, that training took.
    """
    axes = {
        "batch size": [_sized(_named("softmax"), batch=n) for n in _powers(16, 4096, quick)],
        "width": [_sized(_named("softmax"), hidden=(n,)) for n in _powers(64, 4096, quick)],
        "sequence length": [
            _sized(_named("LSTM 64 on 28x28"), shape=(n, 28)) for n in _powers(8, 512, quick)
        ],
    }
    found: dict[str, Any] = {}
    with Turns(CONTESTANTS) as turns:
        for axis, workloads in axes.items():
            found[axis] = {}
            for value, workload in workloads:
                figures = turns.measure(workload, repeats)
                found[axis][value] = {
                    name: workload.batch / one["median"] for name, one in figures.items()
                }
    found["data"] = {times: _mapped(times) for times in ((1, 2) if quick else (1, 3, 10))}
    return found


def _powers(first: int, last: int, quick: bool) -> list[int]:
    """Values that grow by factors of four; only the first two if ``quick``."""
    values = [first]
    while values[-1] * 4 <= last:
        values.append(values[-1] * 4)
    return values[:2] if quick else [*dict.fromkeys([*values, last])]


def _sized(workload: Workload, **fields: Any) -> tuple[int, Workload]:
    """The given value, and the workload with it and enough steps for some seconds."""
    (value,) = fields.values()
    value = value if isinstance(value, int) else value[0]
    workload = dataclasses.replace(workload, **fields)
    cost = workload.batch * max(workload.hidden, default=0) * 784 + (
        workload.batch * workload.shape[0] * 4 * workload.units * (workload.units + 28)
    )
    steps = int(np.clip(1e9 / max(cost, 1), 10, 200))
    return value, dataclasses.replace(workload, steps=steps)


def _mapped(times: float) -> dict[str, Any]:
    """Train on mapped data with ``times`` as many examples as Fashion-MNIST."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        path = Path(folder) / "x.npy"
        shape = (int(FASHION_MNIST * times), *IMAGE)
        x = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
        numbers = np.random.default_rng(0)
        for start in range(0, len(x), 10_000):
            part = x[start : start + 10_000]
            part[:] = numbers.random(part.shape, np.float32)
        del x, part
        found = {}
        for name, implementation in (("Keras 2: ours", "keras"), ("PyTorch: ours", "torch")):
            command = [sys.executable, "-c", MAPPED, implementation, str(path)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found[name] = json.loads(done.stdout.splitlines()[-1])
        return found
