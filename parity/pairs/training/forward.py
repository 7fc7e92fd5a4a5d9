"""Compares the forward pass of a pair in training mode."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from parity.adapters.calls import Call
from parity.adapters.trainer import Batch
from parity.numerics.distance import relative_error
from parity.pairs.align.tensors import as_keras, different_inputs, input_difference
from parity.pairs.causes import batch_norm, layer
from parity.pairs.causes.training import dropout
from parity.pairs.causes.training.dropout import NOISE
from parity.pairs.training.match_draws import streams
from parity.pairs.training.runs import LIMIT, BothRuns, Runner
from parity.verdict.model_pair import ModelPair, Observation
from parity.verdict.result import UNKNOWN, Cause, Check, Findings, Proof, compared_rung

RUNG = "forward_train"

FUSED = (
    "Batch normalisation of images follows Keras 2's float32 kernel in float64 too: its running "
    "variance is unbiased."
)


def compare(
    runner: Runner, batch: Batch, seed: int, known: Iterable[str]
) -> tuple[Findings, BothRuns]:
    """Run both models with the same random numbers and compare them.

    Args:
        runner: of both models.
        batch: what they are called with.
        seed: of the shared random numbers.
        known: Keras layers that differ in evaluation already, and are not examined again.

    Returns:
        What differs, and the run that the later rungs go on from.

    Raises:
        CannotRun: a model cannot be run in training mode.
    """
    runs = runner.run_alike(batch)
    notes = unshared_draws(runner, runs)
    outputs = _outputs(runs)
    if all(one.ok for one in outputs):
        return Findings((compared_rung(RUNG, outputs),), notes=notes, checks=outputs), runs
    before = len(runner.differing_pairs(runs))
    plain = runs.batch
    options = replace(plain.torch_options, float32_constants=True)
    runs = runner.again(runs, replace(plain, torch_options=options))
    outputs = _outputs(runs)
    if all(one.ok for one in outputs):
        return Findings((compared_rung(RUNG, outputs),), notes=notes, checks=outputs), runs
    pairs = runner.differing_pairs(runs)
    if before <= len(pairs):
        runs = runner.again(runs, plain)
        pairs = runner.differing_pairs(runs)
    found = _Causes(runner, runs, seed, set(known)).findings(pairs)
    return replace(found, notes=notes + found.notes), runs


def _outputs(runs: BothRuns) -> tuple[Check, ...]:
    """The checks of the models' outputs."""
    observed, keras, torch = ModelPair("float64"), runs.keras.run, runs.torch.run
    return tuple(
        observed.compare(Observation(RUNG, a, "output", (a, b)), keras.outputs[a], torch.outputs[b])
        for a, b in zip(keras.outputs, torch.outputs, strict=False)
    )


def unshared_draws(runner: Runner, runs: BothRuns) -> tuple[str, ...]:
    """Notes on layers whose random numbers cannot be shared, and on what follows float32."""
    notes = []
    for side, trainer in (("Keras", runner.k), ("PyTorch", runner.t)):
        if trainer.unshared:
            names = ", ".join(trainer.unshared)
            notes.append(f"{side} draws its own random numbers in training: {names}")
    norms = [k for k, _ in runs.alignment.pairs if k.layer == "BatchNormalization"]
    if runner.flavour == "tf_keras" and any(k.inputs[0].ndim == 4 for k in norms):
        notes.append(FUSED)
    return tuple(notes)


class _Causes:
    """Collects why pairs of layers differ."""

    def __init__(self, runner: Runner, runs: BothRuns, seed: int, known: set[str]) -> None:
        self.runner, self.runs, self.seed, self.known = runner, runs, seed, known
        self.streams = streams(runs.batch, runs.keras)
        self.observed = ModelPair("float64")
        self.divergences: list[Check] = []
        self.causes: list[Cause] = []

    def findings(self, pairs: Sequence[tuple[Call, Call]]) -> Findings:
        for k, t in pairs:
            self._pair(k, t)
        outputs = _outputs(self.runs)
        found = tuple(self.divergences) or outputs
        notes = (*self._handwritten_masks(), *self._unstable_calls())
        checks = (*self.divergences, *outputs)
        return Findings((compared_rung(RUNG, found),), tuple(self.causes), (), notes, checks)

    def _pair(self, k: Call, t: Call) -> None:
        upstream = input_difference(k, t)
        if upstream > LIMIT:
            self._unequal_inputs(k, t, upstream)
            return
        actual = as_keras(t.output, k.output, k)
        observed = relative_error(k.output, actual)
        causes: list[Cause] | None = None
        if not k.anchor and k.layer not in NOISE:
            causes = layer.causes_of(k, t, k.inputs, actual, self.runner.flavour)
            if not causes:
                return  # only the rounding of its constants differs
        self._diverge(k, t, "", k.output, actual)
        if k.name in self.known:
            return
        if {k.layer, t.layer} <= set(NOISE) and k.number in self.streams:
            draw = (self.seed, self.streams[k.number])
            self.causes += dropout.causes_of(k, t, actual, draw, LIMIT)
        elif k.layer == t.layer == "BatchNormalization":
            first = {name: self.runner.k.first_of((k.name, name)) for name in k.weights}
            flavour = self.runner.flavour
            self.causes += batch_norm.norm_causes(k, t, actual, first, flavour, LIMIT)
        elif causes and causes[0].id != UNKNOWN:
            self.causes += [replace(one, rung=RUNG) for one in causes]
        else:
            self._unknown(k, t, observed)

    def _unequal_inputs(self, k: Call, t: Call, before: float) -> None:
        """What only one side has stands between, and has an effect in training alone."""
        self._diverge(k, t, "/input", *different_inputs(k, t))
        if k.name in self.known:
            return
        unmatched = self._unmatched_noise()
        after = self._without(unmatched, k, t) if unmatched else before
        if not after <= LIMIT:
            self._unknown(k, t, before)
            return
        for one, (keras, torch) in unmatched:
            self.known.add(one.name)
            name, proof = dropout.strength_id(one), Proof(before, after)
            self.causes.append(Cause(name, one.name, keras, torch, proof, RUNG))

    def _unmatched_noise(self) -> list[tuple[Call, tuple[Any, Any]]]:
        """Dropout and noise that only one side has, with the rates of both."""
        handwritten = self._handwritten()
        alignment = self.runs.alignment
        return [
            (one, (dropout.strength(one), "none") if side == 0 else ("none", dropout.strength(one)))
            for side, calls in enumerate((alignment.keras_only, alignment.torch_only))
            for one in calls
            if one.layer in NOISE and one.name not in self.known and dropout.strength(one)
            if side == 1 or self.streams.get(one.number) not in handwritten
        ]

    def _without(
        self, unmatched: Sequence[tuple[Call, tuple[Any, Any]]], k: Call, t: Call
    ) -> float:
        """How much two layers' inputs differ where those change nothing."""
        runs, batch = self.runs, self.runs.batch
        silent = [
            {call.number for call, values in unmatched if values[other] == "none"}
            for other in (1, 0)
        ]
        options = [
            replace(
                options,
                names=tuple(
                    "" if number in numbers else name
                    for name, number in zip(options.names, one.random_calls, strict=False)
                ),
            )
            for options, one, numbers in zip(
                (batch.keras_options, batch.torch_options),
                (runs.keras, runs.torch),
                silent,
                strict=True,
            )
        ]
        batch = replace(batch, keras_options=options[0], torch_options=options[1])
        without = self.runner.run(batch, runs.alignment)
        after = {(a.name, b.name): (a, b) for a, b in self.runner.differing_pairs(without)}
        residual = after.get((k.name, t.name))
        return input_difference(*residual) if residual else 0.0

    def _handwritten(self) -> set[str]:
        """Streams of masks that PyTorch's code draws by itself."""
        options = self.runs.batch.torch_options
        return {options.names[place] for place in options.masks}

    def _handwritten_masks(self) -> list[str]:
        """A note on masks of PyTorch's own code: no layer whose settings could be compared."""
        handwritten, calls = self._handwritten(), self.runs.keras.run.calls
        names = [calls[number].name for number, one in self.streams.items() if one in handwritten]
        if not names:
            return []
        return [
            "PyTorch's code draws masks without a layer, which get the random numbers of "
            f"{', '.join(names)}: an unknown difference downstream may be caused by them"
        ]

    def _unstable_calls(self) -> list[str]:
        """Notes on the first call of either side whose output changes from run to run."""
        notes = []
        for side, trainer, found in (
            ("Keras", self.runner.k, self.runs.keras),
            ("PyTorch", self.runner.t, self.runs.torch),
        ):
            again = trainer.run(self.runs.batch, 0).run.calls
            both = zip(found.run.calls, again, strict=False)
            changed = (a.name for a, b in both if relative_error(a.output, b.output) > LIMIT)
            name = next(changed, None)
            if name is not None and not trainer.unshared:
                notes.append(
                    f"{side} draws its own random numbers in training, which cannot be shared: the "
                    f"output of {name} changes from run to run"
                )
        return notes

    def _diverge(
        self, k: Call, t: Call, what: str, expected: np.ndarray | None, actual: np.ndarray | None
    ) -> None:
        one = Observation(RUNG, k.name + what, "output", (k.name, t.name))
        self.divergences.append(self.observed.compare(one, expected, actual))

    def _unknown(self, k: Call, t: Call, observed: float) -> None:
        """What is not explained; not where evaluation differs, which is to be fixed first."""
        if not self.known:
            proof = Proof(observed, observed)
            self.causes.append(Cause(UNKNOWN, k.name, k.kind, t.kind, proof, RUNG))
