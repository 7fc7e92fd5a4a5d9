"""``parity.check``: whether a Keras model and a PyTorch model are the same, where not, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from parity.adapters.heads import Heads, missing_heads
from parity.adapters.side import CannotRun
from parity.adapters.trainer import Batch
from parity.errors import ParityError
from parity.pairs import arguments
from parity.pairs.forward import float32_islands
from parity.pairs.forward.compare import EvaluationFindings, compare
from parity.pairs.forward.setup import (
    STAGES,
    WEIGHTS,
    Models,
    Pair,
    nan_outputs,
    prepare,
    unstable_outputs,
)
from parity.pairs.in_float32 import Training as Float32Training
from parity.pairs.in_float32 import in_float32
from parity.pairs.plain.agreement import verified
from parity.pairs.rounding import with_output_limits
from parity.pairs.training import float32_gradients
from parity.pairs.training import float32_islands as training_float32_islands
from parity.pairs.training.session import Training, steps_of
from parity.pairs.training.setup import refuse_targets, trainers
from parity.progress import Progress
from parity.report import sentences
from parity.report.outcome import Provenance
from parity.report.report import Report
from parity.system.versions import versions
from parity.verdict.model_pair import SIDES
from parity.verdict.result import (
    PASSED,
    UNKNOWN,
    Cause,
    Findings,
    Proof,
    compared_rung,
    not_run,
    verdict,
)

LARGE = 100_000_000
"""Weights beyond which float32 is not run as well: it takes gigabytes more than float64 did."""


def check(
    keras_model: Any,
    torch_model: Any,
    inputs: Any,
    *,
    targets: Any = None,
    loss: Any = None,
    optimizer: Any = None,
    steps: int = 10,
    seed: int = 0,
    weights: str = "keras",
    torch_inputs: Any = None,
    layer_map: Mapping[str, str] | None = None,
    float32: bool = True,
) -> Report:
    """Compare two models layer by layer in float64, and their training if a loss is given.

    If the outputs are the same, both models also run in float32, and the difference there is
    compared with the effect of rounding. If a model cannot run in float64, float32 decides, and
    the report says that this is weaker.

    Args:
        keras_model: a model of Keras 2 (``tf_keras``) or 3, or a function that builds one; a
            subclassed model without ``get_config`` needs the function.
        torch_model: a ``torch.nn.Module``, or a function that builds one.
        inputs: an array, several in a list, or a function that returns them, as Keras takes them.
            Also a dictionary, whose entries are arguments by name where the model's call has these
            names, a dataclass, or a list with such, or with None, inside.
            Images and volumes reach PyTorch channels-first, sequences only if the model takes
            them in no other way, all else as it is.
        targets: an array, or one for each output, as Keras takes them. A target of its output's
            shape reaches the user's own PyTorch loss in the layout of PyTorch's output.
        loss: a Keras loss or its name, which both models then use, or the user's own two: (Keras's,
            a callable of (outputs, targets)). With it loss and gradients are compared as well.
        optimizer: a Keras optimizer or its name, which both models then use, or the user's own two:
            (Keras's, a function of the parameters that returns an optimizer, or one and its
            scheduler, which advances after every step). With it optimizer steps are compared.
        steps: how many of them.
        seed: of the random numbers with which models are built, and of those that dropout draws,
            the same in both models.
        weights: ``keras`` copies Keras's weights to PyTorch, ``torch`` PyTorch's to Keras,
            ``as-is`` none.
        torch_inputs: the inputs of the PyTorch model, if it takes others.
        layer_map: names of Keras layers to names of PyTorch modules that belong together, where
            they are not matched or matched wrongly.
        float32: whether to run both models in float32 as well, which builds them again: to measure
            the deviation there, and to verify the verdict by their plain outputs and weights.

    Returns:
        The verdict with one result per rung, the first divergence, causes with proof, and settings
        that differ without effect. A rung that could not be run is reported with the reason; if
        nothing else differs the verdict is then ``inconclusive``.

    Raises:
        ParityError: an argument cannot be used, a model cannot be built or called.
    """
    for name, value, other in (("optimizer", optimizer, loss), ("loss", loss, targets)):
        if value is not None and other is None:
            needed = "a loss" if name == "optimizer" else "targets"
            raise ParityError(f"{name}: received one without {needed}, accepted: with {needed}")
    if weights not in WEIGHTS:
        raise ParityError(f"weights: received {weights!r}, accepted: {', '.join(WEIGHTS)}")
    arguments.refuse_below(steps, "steps", 1)
    arguments.refuse_below(seed, "seed", 0)
    names = arguments.mapping(layer_map)
    labels = [] if targets is None else arguments.arrays(targets, "targets")
    first = arguments.inputs(inputs, "inputs")
    second = None if torch_inputs is None else arguments.inputs(torch_inputs, "torch_inputs")
    models = Models(keras_model, torch_model, first, second, weights, names, seed)
    count = steps if optimizer is not None else 0
    asked = _Asked(Batch(first, second, labels), loss, optimizer, seed, count, float32)
    return _checked(models, asked, steps)


def _checked(models: Models, asked: _Asked, steps: int) -> Report:
    """The report on two models."""
    pair, dtype, notes = _prepared(models)
    heads = ({}, {}) if any(models.heads) else missing_heads(pair.keras_run, pair.torch_run)
    if any(heads) and asked.loss is not None:
        pair.release()
        report = _checked(replace(models, heads=heads), asked, steps)
        if not report.failed("loss"):
            return replace(report, notes=(*report.notes, _head_note(heads)))
        pair, dtype, notes = _prepared(models)
    pair, evaluation, more = _evaluated(pair, dtype)
    notes += more
    found = evaluation.findings()
    pair.release()
    if any(heads) and evaluation.different and _equal_up_to(models, heads, dtype):
        notes.append(_up_to_note(heads))
    if asked.loss is not None and evaluation.inconclusive:
        found += not_run(("gradients", *steps_of(asked.steps)), "a weight was not transferred")
    elif asked.loss is not None:
        train = _train if dtype == "float64" else _train_in_float32
        found += train(models, pair, evaluation, asked)
    keras = "keras" if pair.keras.flavour == "keras3" else "tf_keras"
    ran = Provenance(
        versions=versions("tensorflow", keras, "torch"), seed=asked.seed, weights=models.weights
    )
    report = _report(pair, evaluation, found, notes, dtype, steps, ran)
    size = sum(one.size for one in pair.keras.all_parameters().values())
    del pair  # the models in float64, before there are others
    if not asked.float32 or evaluation.inconclusive:
        return report
    if size > LARGE:
        note = f"The models were not run in float32: they have {size:,} weights."
        return replace(report, notes=(*report.notes, note))
    return _with_float32(report, models, asked, found)


def _with_float32(report: Report, models: Models, asked: _Asked, found: Findings) -> Report:
    """The report with the deviation in float32, verified by a plain run of both models."""
    first = report.first_divergence
    early = first is not None and first.rung == "forward_eval"
    training = None
    if asked.loss is not None and not early:
        options = replace(asked.batch.keras_options, without_penalties=found.without_penalties)
        training = Float32Training(
            replace(asked.batch, keras_options=options),
            asked.loss,
            asked.optimizer,
            asked.steps,
            asked.seed,
            gradients=report.dtype == "float64" and found.status("gradients") == PASSED,
        )
    ran = in_float32(models, training, deviation=report.dtype == "float64" and not early)
    report = replace(report, float32=ran.deviation)
    return verified(report, ran.plain) if ran.plain else report


def _equal_up_to(models: Models, heads: tuple[Heads, Heads], dtype: str) -> bool:
    """Whether the outputs are the same once both models end in the same activation."""
    with Progress("models", STAGES) as progress:
        pair = prepare(replace(models, heads=heads), dtype, progress)
    with Progress("layers", len(pair.alignment.pairs)) as progress:
        return not compare(pair, progress).different


def _head_note(heads: tuple[Heads, Heads]) -> str:
    side, other, names = _of_heads(heads)
    return (
        f"{side}'s model leaves the final {names} of {other}'s to its loss. Outputs are compared "
        f"after it; the losses are of what each model returns."
    )


def _up_to_note(heads: tuple[Heads, Heads]) -> str:
    side, other, names = _of_heads(heads)
    return (
        f"The models agree up to the final {names}, which only {other}'s has: {side}'s is correct "
        "if its loss takes logits."
    )


def _of_heads(heads: tuple[Heads, Heads]) -> tuple[str, str, str]:
    """The side without the activations, the other, and the activations."""
    side, other = ("Keras", "PyTorch") if heads[0] else ("PyTorch", "Keras")
    return side, other, ", ".join(dict.fromkeys([*heads[0].values(), *heads[1].values()]))


@dataclass(frozen=True)
class _Asked:
    """What training was asked for; no optimizer: no steps."""

    batch: Batch
    loss: Any
    optimizer: Any
    seed: int
    steps: int
    float32: bool


def _prepared(models: Models) -> tuple[Pair, str, list[str]]:
    """Both models in float64, or in float32 where that is impossible, with notes."""
    try:
        with Progress("models", STAGES) as progress:
            pair = prepare(models, "float64", progress)
        return pair, "float64", [*pair.notes]
    except CannotRun as error:
        try:
            with Progress("models in float32", STAGES) as progress:
                pair = prepare(models, "float32", progress)
        except ParityError as plain:  # of the models as their users run them
            raise plain from error
        notes = [*pair.notes, f"Compared in float32, which is weaker: {error}"]
        return with_output_limits(pair), "float32", notes


def _evaluated(pair: Pair, dtype: str) -> tuple[Pair, EvaluationFindings, list[str]]:
    """The comparison in evaluation mode, with notes."""
    with Progress("layers", len(pair.alignment.pairs)) as progress:
        found = compare(pair, progress)
    notes: list[str] = []
    if found.different_outputs:
        notes = nan_outputs(pair) or unstable_outputs(pair)
    promoted = float32_islands.promoted(pair, found) if dtype == "float64" else None
    if promoted is None:
        return pair, found, notes
    pair, found, more = promoted
    return pair, found, [*notes, *more]


def _train(models: Models, pair: Pair, evaluation: EvaluationFindings, asked: _Asked) -> Findings:
    """Train both models and compare them."""
    both = trainers(pair.keras, pair.torch, asked.loss, asked.optimizer, asked.seed)
    refuse_targets(both[0], asked.batch, pair.keras_run)
    training = Training(pair, both, asked.batch, asked.seed)
    known, proven = evaluation.explained_layers, evaluation.different
    return training_float32_islands.train(
        lambda promote: training.compare(models.layer_map, known, asked.steps, promote, proven),
        pair.promoted,
        pair.torch,
    )


def _train_in_float32(
    models: Models, pair: Pair, evaluation: EvaluationFindings, asked: _Asked
) -> Findings:
    """Compare gradients in float32, where outputs are the same; the rest takes float64."""
    steps = not_run(steps_of(asked.steps), "optimizer steps are compared in float64 only")
    if evaluation.causes and evaluation.different_outputs:
        return not_run(("gradients",), "the outputs differ in evaluation mode") + steps
    try:
        batch, loss = asked.batch, asked.loss
        found, notes = float32_gradients.compare(models, pair, batch, loss, asked.seed)
    except ParityError as error:
        if not (evaluation.different or isinstance(error, CannotRun)):
            raise
        return not_run(("gradients",), str(error)) + steps
    different = [one for one in found if not one.ok]
    rung = compared_rung("gradients", found)
    causes = tuple(
        Cause(
            UNKNOWN, one.name, one.tensor, one.tensor, Proof(one.observed, one.observed), one.rung
        )
        for one in different[:1]
    )
    return Findings((rung,), causes, (), tuple(notes), tuple(found)) + steps


def _report(
    pair: Pair,
    evaluation: EvaluationFindings,
    found: Findings,
    notes: list[str],
    dtype: str,
    steps: int,
    provenance: Provenance,
) -> Report:
    """All findings as a report; what is a cause is not listed as latent as well."""
    shown = {(one.id, one.layer) for one in found.causes}
    first = next(iter(found.divergences), None)
    return Report(
        verdict=verdict(found.rungs),
        dtype=dtype,
        first_divergence=first,
        about_first_divergence=tuple(sentences.about(first, SIDES)) if first else (),
        causes=found.causes,
        latent=tuple(one for one in found.latent if (one.id, one.layer) not in shown),
        compared=evaluation.layers,
        keras_only=tuple(f"{one.name} ({one.kind})" for one in pair.alignment.keras_only),
        torch_only=tuple(f"{one.name} ({one.kind})" for one in pair.alignment.torch_only),
        notes=(*notes, *found.notes),
        rungs=found.rungs,
        checks=found.checks,
        steps=steps,
        provenance=provenance,
    )
