"""Both models of a pair in one dtype, with the same weights, after a run in evaluation mode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from parity.adapters.calls import Call, Output, Run
from parity.adapters.heads import Heads
from parity.adapters.side import Side, load_adapter, refuse_empty, seeded
from parity.adapters.trainer import UNOWNED, Key
from parity.errors import ParityError
from parity.numerics import tolerance
from parity.numerics.distance import relative_error
from parity.numerics.tolerance import Allowed
from parity.pairs.align import outputs, unowned_parameters
from parity.pairs.align.fusion import fused_run
from parity.pairs.align.match import Alignment, align
from parity.pairs.forward.transfer import Sides, Transferred, Trial, complete
from parity.progress import Progress

WEIGHTS = ("keras", "torch", "as-is")
"""Whose are copied to the other model."""

STAGES = 5
"""Of :func:`prepare`, as progress counts them."""


@dataclass(frozen=True)
class Models:
    """What is compared: arguments of :func:`parity.pairs.check.check`, checked and converted.

    Attributes:
        keras: the Keras model, or a function that builds it.
        torch: the PyTorch model, likewise.
        inputs: of the Keras model.
        torch_inputs: of the PyTorch model, where it takes others.
        weights: one of :data:`WEIGHTS`.
        layer_map: Keras layers to PyTorch modules.
        seed: of the random numbers with which models are built.
        heads: activations that are applied to Keras's outputs, and to PyTorch's.
    """

    keras: Any
    torch: Any
    inputs: list[np.ndarray]
    torch_inputs: list[np.ndarray] | None
    weights: str
    layer_map: Mapping[str, str]
    seed: int = 0
    heads: tuple[Heads, Heads] = ({}, {})


@dataclass(frozen=True)
class Pair:
    """Two models with the same weights, and one run of each in evaluation mode.

    Attributes:
        keras: the Keras model.
        torch: the PyTorch model.
        keras_run: its calls.
        torch_run: its calls, without substitutes.
        alignment: which call belongs to which.
        inputs: of the Keras model.
        torch_inputs: of the PyTorch model, where it takes others.
        notes: on weights that could not be copied.
        promoted: whether Keras computes in float64 what its code computes in float32.
        dtype: of both models.
        transferred: weights that were copied by other names or shapes, and those that were not.
    """

    keras: Side
    torch: Side
    keras_run: Run
    torch_run: Run
    alignment: Alignment
    inputs: list[np.ndarray]
    torch_inputs: list[np.ndarray] | None
    notes: tuple[str, ...] = ()
    promoted: bool = False
    dtype: str = "float64"
    transferred: Transferred = field(default_factory=Transferred)

    def measured(self, call: Call) -> Allowed | None:
        """The tolerance of a Keras call's output where it was measured; None: the table's."""
        return None if self.dtype == "float64" else Allowed(call.allowed, tolerance.OF_AN_ULP)

    def run_torch(self, substitutes: Mapping[int, np.ndarray] | None = None) -> Run:
        """Run PyTorch's model again.

        Args:
            substitutes: number of a call to the output that it hands on instead of its own.
        """
        run = self.torch.run(self.inputs, self.torch_inputs, substitutes)
        return fused_run(run.in_layout_of(self.keras_run))

    def outputs(self) -> list[tuple[Call, Call]]:
        """The models' own outputs, as calls."""
        return [pair for pair in self.alignment.pairs if isinstance(pair[0].config, Output)]

    def release(self) -> None:
        """Release all arrays of the runs."""
        for one in (self.keras_run, self.torch_run, self.keras, self.torch):
            one.forget()


def prepare(models: Models, dtype: str, progress: Progress) -> Pair:
    """Build both models, give them the same weights, and run both.

    Args:
        models: what is compared.
        dtype: of both.
        progress: counts :data:`STAGES`.

    Raises:
        CannotRun: a model cannot be built or called in that dtype.
        ParityError: an argument cannot be used.
    """
    with seeded(models.seed):
        keras = load_adapter("keras", models.keras, dtype, heads=models.heads[0])
    progress.advance("Keras's model is built")
    with seeded(models.seed):
        torch = load_adapter("torch", models.torch, dtype, heads=models.heads[1])
    progress.advance("PyTorch's model is built")
    inputs, torch_inputs, weights = models.inputs, models.torch_inputs, models.weights
    keras_run = fused_run(keras.run(inputs))
    torch.follow_layout(keras_run)
    progress.advance("Keras's model has run")
    torch_run = fused_run(torch.run(inputs, torch_inputs).in_layout_of(keras_run))
    progress.advance("PyTorch's model has run")
    refuse_empty("keras_model", keras, keras_run)
    refuse_empty("torch_model", torch, torch_run)
    names = outputs.common(keras_run, torch_run)
    notes = outputs.left_out(keras_run, torch_run, names)
    if names != list(zip(keras_run.outputs, torch_run.outputs, strict=False)) or notes:
        keras.kept_outputs, torch.kept_outputs = zip(*names, strict=True)
        keras_run = fused_run(keras.run(inputs))
        torch_run = fused_run(torch.run(inputs, torch_inputs).in_layout_of(keras_run))
    alignment = align(keras_run.calls, torch_run.calls, models.layer_map)
    transferred = Transferred()
    if weights != "as-is":
        runs = keras_run, torch_run
        more, transferred = _copy_weights(models, alignment, keras, torch, runs)
        notes += more
        if weights == "torch":
            keras_run.forget()
            keras_run = fused_run(keras.run(inputs))
        torch_run.forget()
        torch_run = fused_run(torch.run(inputs, torch_inputs).in_layout_of(keras_run))
        alignment = alignment.of(keras_run, torch_run)
    progress.advance("both have the same weights")
    return Pair(
        keras,
        torch,
        keras_run,
        torch_run,
        alignment,
        inputs,
        torch_inputs,
        tuple(notes),
        dtype=dtype,
        transferred=transferred,
    )


def unstable_outputs(pair: Pair) -> list[str]:
    """A note where PyTorch's outputs in evaluation mode change from call to call.

    Raises:
        ParityError: Keras's do, so that there is nothing to compare with.
    """
    sides = (("keras", pair.keras, None), ("torch", pair.torch, pair.torch_inputs))
    for name, side, inputs in sides:
        first, second = (side.run(pair.inputs, inputs).outputs.values() for _ in range(2))
        both = zip(first, second, strict=True)
        changed = [pair for pair in both if not np.array_equal(*pair, equal_nan=True)]
        difference = max((relative_error(*pair) for pair in changed), default=0.0)
        if difference <= tolerance.ROUNDING_MAX:
            continue
        what = f"outputs in evaluation mode differ by {difference:.1g} from one call to the next"
        if name == "torch":
            return [f"PyTorch's model draws random numbers where it must not: its {what}."]
        raise ParityError(
            f"keras_model: received {type(side.model).__name__}, whose {what}, accepted: a model "
            "that draws no random numbers there; what it draws may be an input"
        )
    return []


def nan_outputs(pair: Pair) -> list[str]:
    """A note on each output of Keras's that contains NaN."""
    outputs = pair.keras_run.outputs.items()
    names = [name for name, value in outputs if np.isnan(value).any()]
    return [f"Keras's own {name} contains NaN, which equals nothing." for name in names]


def _copy_weights(
    models: Models, alignment: Alignment, keras: Side, torch: Side, runs: tuple[Run, Run]
) -> tuple[list[str], Transferred]:
    """Copy each layer's weights to its partner; notes on what does not fit and stays as it is."""
    notes, weights = [], models.weights
    named: set[Key] = set()
    for k, t in alignment.pairs:
        source, target = (k, t) if weights == "keras" else (t, k)
        fitting = {
            name: value
            for name, value in source.weights.items()
            if name in target.weights and target.weights[name].shape == value.shape
        }
        side = torch if weights == "keras" else keras
        if fitting:
            side.set_weights(target.name, fitting)
            named |= {(call.name, name) for call in (k, t) for name in fitting}
        missing = sorted({*k.weights, *t.weights} - {*fitting})
        if missing and type(k.config) is type(t.config) and k.config is not None:
            names = ", ".join(missing)
            notes.append(f"{k.name} / {t.name}: not copied, because they do not fit: {names}")
    carried = unowned_parameters.carry(alignment, keras, torch, weights)
    named |= {(name, UNOWNED) for pair in carried.pairs for name in pair}

    def run_torch(values: Mapping[int, np.ndarray]) -> Run:
        run = torch.run(models.inputs, models.torch_inputs, values)
        return fused_run(run.in_layout_of(runs[0]))

    if weights == "torch":
        runs = fused_run(keras.run(models.inputs)), runs[1]
    trial = Trial(alignment, runs, (lambda: fused_run(keras.run(models.inputs)), run_torch))
    found = complete(Sides(keras, torch, runs), alignment, trial, named, weights == "keras")
    return notes, found
