"""The contestants by their names in the tables."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.throughput.workloads import Workload


@dataclass(frozen=True)
class Contestant:
    """A training loop to measure.

    Attributes:
        framework: whose row it stands in: ``Keras 2``, ``Keras 3``, ``PyTorch`` or ``none``.
        room: module of this package.
        function: in it; called with the workload and ``given``, it prepares and returns a round.
        given: further arguments.
    """

    framework: str
    room: str
    function: str
    given: Mapping[str, Any] = field(default_factory=dict)

    def prepare(self, workload: Workload) -> Any:
        """Import and prepare the loop in this process; return a function that runs a round."""
        room = importlib.import_module(f"benchmarks.throughput.{self.room}")
        return getattr(room, self.function)(workload, **self.given)


def _keras(framework: str, module: str, flavour: str) -> dict[str, Contestant]:
    def of(room: str, function: str, **given: Any) -> Contestant:
        return Contestant(framework, room, function, given)

    return {
        f"{framework}: ours": of("ours", "train", implementation="keras", flavour=flavour),
        f"{framework}: fit": of("keras_loops", "fit", keras=module),
        f"{framework}: fit, 50 steps per execution": of(
            "keras_loops", "fit", keras=module, steps_per_execution=50
        ),
        f"{framework}: best loop by hand": of("keras_loops", "by_hand", keras=module),
    }


CONTESTANTS = {
    **_keras("Keras 2", "tf_keras", "tf_keras"),
    **_keras("Keras 3", "keras", "keras3"),
    "Keras 3 on PyTorch: fit": Contestant(
        "Keras 3", "keras_loops", "fit", {"keras": "keras", "backend": "torch"}
    ),
    "PyTorch: ours": Contestant("PyTorch", "ours", "train", {"implementation": "torch"}),
    "PyTorch: DataLoader loop": Contestant("PyTorch", "torch_loops", "dataloader"),
    "PyTorch: Lightning": Contestant("PyTorch", "torch_loops", "lightning"),
    "PyTorch: best loop by hand": Contestant("PyTorch", "torch_loops", "by_hand"),
    "PyTorch: the same, compiled": Contestant(
        "PyTorch", "torch_loops", "by_hand", {"compiled": True}
    ),
    "floor": Contestant("none", "floor", "kernels"),
}

QUICK = (
    *("Keras 2: ours", "Keras 2: fit", "Keras 2: best loop by hand"),
    *("PyTorch: ours", "PyTorch: DataLoader loop", "PyTorch: best loop by hand", "floor"),
)


def _by_hand(**given: Any) -> Contestant:
    return Contestant("Keras 2", "keras_loops", "by_hand", {"keras": "tf_keras", **given})


_LOOP = {"recurrent": "loop"}

TRIES = {
    "Keras 2: one tf.function": _by_hand(at_a_time=0, xla="nothing", **_LOOP),
    "and one operation at a time": _by_hand(xla="nothing", **_LOOP),
    "and XLA's optimizer": _by_hand(xla="optimizer", **_LOOP),
    "and recurrent layers unrolled": _by_hand(xla="optimizer"),
    "rather XLA's whole step": _by_hand(xla="step", **_LOOP),
    "rather TensorFlow's Adam kernel": _by_hand(xla="nothing", adam="kernel", **_LOOP),
    "rather TensorFlow's LSTM kernel": _by_hand(xla="optimizer", recurrent="kernel"),
    "PyTorch: batches by number": Contestant(
        "PyTorch",
        "torch_loops",
        "by_hand",
        {"channels_last": False, "fused": False, "flushed": False, "kept": False},
    ),
    "and channels last": Contestant(
        "PyTorch", "torch_loops", "by_hand", {"fused": False, "flushed": False, "kept": False}
    ),
    "and Adam fused": Contestant(
        "PyTorch", "torch_loops", "by_hand", {"flushed": False, "kept": False}
    ),
    "and denormal numbers as zero": Contestant(
        "PyTorch", "torch_loops", "by_hand", {"kept": False}
    ),
    "and memory kept": Contestant("PyTorch", "torch_loops", "by_hand"),
    "and compiled": Contestant("PyTorch", "torch_loops", "by_hand", {"compiled": True}),
}
"""The attempts that led to the best hand-written loops, in order."""

TRIED = {
    "MLP 784-256-10": [name for name in TRIES if "LSTM" not in name and "unrolled" not in name],
    "CNN 32-64": [name for name in TRIES if "LSTM" not in name and "unrolled" not in name],
    "LSTM 64 on 28x28": [name for name in TRIES if "whole" not in name],
}
"""Workload to what was tried on it. Of XLA's whole step of a recurrent loop no end was seen in four
minutes; unrolled, it was compiled in 15 s and took twice the time."""
