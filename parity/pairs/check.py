"""``parity.check``: whether a Keras model and a PyTorch model are the same, where not, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from parity.adapters.side import CannotRun
from parity.adapters.trainer import Batch
from parity.errors import ParityError
from parity.pairs import allowance, arguments
from parity.pairs.float32_deviation import drift
from parity.pairs.forward.compare import Findings
from parity.pairs.forward.float32_islands import in_float64
from parity.pairs.forward.setup import STAGES, WEIGHTS, aligned, drawn, not_numbers
from parity.pairs.report import Report
from parity.pairs.training import float32_gradients
from parity.pairs.training.float32_islands import trained_in_float64
from parity.pairs.training.result import Training
from parity.pairs.training.session import train_findings
from parity.progress import Progress
from parity.verdict.result import NOT_RUN, UNKNOWN, Cause, Proof, Rung, compared_rung, verdict

LADDER = ("forward_train", "loss", "gradients", "step", "steps")
"""Rungs of training."""

STEPS = LADDER[3:]

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
    """Compare two models layer by layer in float64, and their training where a loss is given.

    Where outputs are the same, the models run in float32 as well, whose drift is held against what
    rounding does to them. Where a model cannot be had in float64, that decides, and the report says
    that this is weaker.

    Args:
        keras_model: a model of Keras 2 (``tf_keras``) or 3, or a function that builds one; a
            subclassed one that does not say how it is configured needs the function.
        torch_model: a ``torch.nn.Module``, or a function that builds one.
        inputs: an array, several in a list, or a function that gives them, as Keras takes them.
            Images and volumes reach PyTorch channels first, sequences only where the model takes
            them in no other way, all else as it is.
        targets: what the outputs shall be, an array or one for each output, as Keras takes them.
            One of its output's shape reaches a PyTorch loss of the user's as PyTorch's output lies.
        loss: a Keras loss or its name, which both then get, or the user's own two: (Keras's, a
            callable of (outputs, targets)). With it loss and gradients are compared as well.
        optimizer: a Keras optimizer or its name, which both then get, or the user's own two:
            (Keras's, a function of the parameters, which returns an optimizer, or one and its
            scheduler, which goes on after every step). With it optimizer steps are.
        steps: how many of them.
        seed: of what dropout draws, the same on both sides.
        weights: ``keras`` copies Keras's weights over, ``torch`` PyTorch's, ``as-is`` none.
        torch_inputs: the inputs of the PyTorch model, where it wants others.
        layer_map: names of Keras layers to names of PyTorch modules that belong together, where
            they are not found or found wrongly.
        float32: whether to measure the drift in float32 as well, which takes models of their own.

    Returns:
        The verdict with the first divergence, causes with proof, and settings that differ
        without showing.

    Raises:
        ParityError: an argument cannot be used, a model cannot be built or called.
    """
    for name, value, other in (("optimizer", optimizer, loss), ("loss", loss, targets)):
        if value is not None and other is None:
            needed = "a loss" if name == "optimizer" else "targets"
            raise ParityError(f"{name}: received one without {needed}, accepted: with {needed}")
    if weights not in WEIGHTS:
        raise ParityError(f"weights: received {weights!r}, accepted: {', '.join(WEIGHTS)}")
    arguments.whole(steps, "steps", 1)
    arguments.whole(seed, "seed", 0)
    names = arguments.mapping(layer_map)
    wanted = [] if targets is None else arguments.arrays(targets, "targets")
    given = arguments.arrays(inputs, "inputs")
    own = None if torch_inputs is None else arguments.arrays(torch_inputs, "torch_inputs")
    both = keras_model, torch_model, given, own, weights, names
    dtype = "float64"
    try:
        with Progress("models", STAGES) as progress:
            findings, notes = aligned(*both, dtype, progress)
    except CannotRun as error:
        dtype = "float32"
        try:
            with Progress("models in float32", STAGES) as progress:
                findings, notes = aligned(*both, dtype, progress)
        except ParityError:
            raise error from None
        notes.append(f"Compared in float32, which is weaker: {error}")
        allowance.allow(findings.torch, findings.torch_run, findings.alignment, given, own)
    with Progress("layers", len(findings.alignment.pairs)) as progress:
        findings.compare(given, own, progress)
    if findings.outputs_apart():
        notes += not_numbers(findings) or drawn(findings, given, own)
    if dtype == "float64":
        findings, told = in_float64(findings, given, own)
        notes += told
    findings.forget()
    trained = Training()
    rest: dict[str, Any] = {"seed": seed, "layer_map": names}
    batch = Batch(given, own, wanted)
    if loss is not None and dtype == "float64":
        trained = _trained(findings, batch, loss, optimizer, count=steps, **rest)
    elif loss is not None:
        trained = _weaker(findings, batch, loss, optimizer, **rest)
    asked = _asked(loss, optimizer, steps, dtype)
    report = _report(findings, trained, notes, dtype, steps, asked)
    size = sum(one.size for one in findings.keras.all_parameters().values())
    del findings  # the models in float64, before there are others
    parted = report.first_divergence
    if not float32 or dtype == "float32" or (parted and parted.rung == "forward_eval"):
        return report
    if size > LARGE:
        note = f"Drift in float32 was not measured: the model has {size:,} weights."
        return replace(report, notes=(*report.notes, note))
    if "gradients" in trained.rungs and (parted is None or parted.rung in ("step", "steps")):
        return replace(report, float32=drift(*both, batch=batch, loss=loss, seed=seed))
    return replace(report, float32=drift(*both))


def _trained(findings: Findings, *given: Any, **rest: Any) -> Training:
    """What training shows beyond what evaluation has; arguments as of ``train_findings``."""
    keras, torch = findings.keras, findings.torch
    known = {cause.layer for cause in findings.causes}
    known |= {one.keras_layer or "" for one in findings.parted if findings.causes}
    return trained_in_float64(
        keras, lambda: train_findings(keras, torch, *given, known=known, **rest)
    )


def _weaker(findings: Findings, batch: Batch, loss: Any, optimizer: Any, **rest: Any) -> Training:
    """Gradients in float32, where outputs are the same; more is not compared there."""
    if findings.causes and findings.outputs_apart():
        return Training(missing=dict.fromkeys(LADDER, "the outputs differ in evaluation mode"))
    apart, notes = float32_gradients.compared(findings, batch, loss, **rest)
    found = Training(rungs=["gradients"], notes=notes)
    found.parted = [one for one in apart if not one.observed <= one.allowed]
    for one in found.parted[:1]:
        proof = Proof(one.observed, one.observed)
        found.causes.append(Cause(UNKNOWN, one.name, one.tensor, one.tensor, proof, "gradients"))
    if optimizer is not None:
        found.missing |= dict.fromkeys(STEPS, "optimizer steps are compared in float64 only")
    return found


def _asked(loss: Any, optimizer: Any, steps: int, dtype: str) -> tuple[str, ...]:
    """Rungs that the arguments ask for; in float32 gradients stand for all before the steps."""
    trained = ("forward_train", "loss", "gradients") if dtype == "float64" else ("gradients",)
    stepped = STEPS if steps > 1 else STEPS[:1]
    return (
        "forward_eval",
        *(trained if loss is not None else ()),
        *(stepped if optimizer is not None else ()),
    )


def _report(
    findings: Findings,
    trained: Training,
    notes: list[str],
    dtype: str,
    steps: int,
    asked: tuple[str, ...],
) -> Report:
    """The verdict: different where outputs stand apart and more than rounded constants differ."""
    unexplained = findings.unexplained()
    findings.parted += unexplained
    findings.causes += [
        Cause(UNKNOWN, one.name, "", "", Proof(one.observed, one.observed)) for one in unexplained
    ]
    different = findings.outputs_apart() and bool(findings.causes)
    parted = [*(findings.parted if different else ()), *trained.parted]
    causes = [*(findings.causes if different else ()), *trained.causes]
    hidden = () if different else (one for one in findings.causes if one.id != UNKNOWN)
    shown = {(one.id, one.layer) for one in causes}
    latent = [one for one in (*hidden, *findings.latent) if (one.id, one.layer) not in shown]
    if findings.rounded and not different:
        notes.append(
            f"Keras rounds constants to float32, also in float64: {', '.join(findings.rounded)}. "
            "With PyTorch's rounded likewise nothing is left."
        )
    rungs = tuple(
        Rung(name, NOT_RUN, reason=trained.missing[name])
        if name in trained.missing
        else compared_rung(name, [one for one in parted if one.rung == name])
        for name in asked
    )
    return Report(
        verdict=verdict(rungs),
        dtype=dtype,
        first_divergence=parted[0] if parted else None,
        causes=tuple(causes),
        latent=(*latent, *trained.latent),
        compared=tuple(findings.compared),
        keras_only=tuple(f"{one.name} ({one.kind})" for one in findings.alignment.keras_only),
        torch_only=tuple(f"{one.name} ({one.kind})" for one in findings.alignment.torch_only),
        notes=(*notes, *trained.notes),
        rungs=rungs,
        steps=steps,
    )
