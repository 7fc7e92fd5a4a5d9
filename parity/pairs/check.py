"""``parity.check``: whether a Keras model and a PyTorch model are the same, where not, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from parity.errors import ParityError
from parity.pairs import loose, rounding
from parity.pairs.align import Alignment, align
from parity.pairs.calls import Run
from parity.pairs.diagnosis import UNKNOWN, Cause, Proof
from parity.pairs.findings import Findings
from parity.pairs.fuse import fused
from parity.pairs.islands import in_float64
from parity.pairs.report import Report
from parity.pairs.side import CannotRun, Side, open_side, refuse_empty
from parity.pairs.trainer import Batch
from parity.pairs.training import Training, train_findings
from parity.progress import Progress

WEIGHTS = ("keras", "torch", "as-is")
STAGES = 5
"""Of having both models run with the same weights, as progress counts them."""


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
) -> Report:
    """Compare two models layer by layer in float64, and their training where a loss is given.

    Where a model cannot be had in float64, float32 is held against what rounding does to it; the
    report says that this is weaker.

    Args:
        keras_model: a model of Keras 2 (``tf_keras``) or 3, or a function that builds one; a
            subclassed one that does not say how it is configured needs the function.
        torch_model: a ``torch.nn.Module``, or a function that builds one.
        inputs: an array, or several in a list, as Keras takes them. Images and volumes reach
            PyTorch channels first, all else as it is.
        targets: what the outputs shall be, an array or one for each output.
        loss: a Keras loss or its name, which both then get, or the user's own two: (Keras's, a
            callable of (outputs, targets)). With it loss and gradients are compared as well.
        optimizer: a Keras optimizer or its name, which both then get, or the user's own two:
            (Keras's, a function of the parameters). With it optimizer steps are.
        steps: how many of them.
        seed: of what dropout draws, the same on both sides.
        weights: ``keras`` copies Keras's weights over, ``torch`` PyTorch's, ``as-is`` none.
        torch_inputs: the inputs of the PyTorch model, where it wants others.
        layer_map: names of Keras layers to names of PyTorch modules that belong together, where
            they are not found or found wrongly.

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
    given = _arrays(inputs, "inputs")
    own = None if torch_inputs is None else _arrays(torch_inputs, "torch_inputs")
    arguments = keras_model, torch_model, given, own, weights, layer_map
    dtype = "float64"
    try:
        with Progress("models", STAGES) as progress:
            findings, notes = _aligned(*arguments, dtype, progress)
    except CannotRun as error:
        dtype = "float32"
        try:
            with Progress("models in float32", STAGES) as progress:
                findings, notes = _aligned(*arguments, dtype, progress)
        except ParityError:
            raise error from None
        notes.append(f"Compared in float32, which is weaker: {error}")
        rounding.allow(findings.torch, findings.torch_run, findings.alignment, given, own)
    with Progress("layers", len(findings.alignment.pairs)) as progress:
        findings.compare(given, own, progress)
    if dtype == "float64":
        findings, told = in_float64(findings, given, own)
        notes += told
    findings.forget()
    trained = Training()
    if loss is not None and dtype == "float64":
        known = {cause.layer for cause in findings.causes}
        known |= {one.keras_layer or "" for one in findings.parted if findings.causes}
        batch = Batch(given, own, _arrays(targets, "targets"))
        sides = findings.keras, findings.torch
        rest: dict[str, Any] = {"count": steps, "seed": seed, "layer_map": layer_map}
        trained = train_findings(*sides, batch, loss, optimizer, known=known, **rest)
    elif loss is not None:
        notes.append("Training was not compared: that takes float64.")
    return _report(findings, trained, notes, dtype)


def side_by_side(
    keras_model: Any,
    torch_model: Any,
    inputs: Any,
    weights: str = "keras",
    layer_map: Mapping[str, str] | None = None,
) -> tuple[Side, Side]:
    """Copies of both models in float64, the weights of one carried over to the other.

    Args and errors: as of :func:`check`.
    """
    arguments = keras_model, torch_model, _arrays(inputs, "inputs"), None, weights, layer_map
    with Progress("models", STAGES) as progress:
        findings, _ = _aligned(*arguments, "float64", progress)
    return findings.keras, findings.torch


def _aligned(
    keras_model: Any,
    torch_model: Any,
    inputs: list[np.ndarray],
    own: list[np.ndarray] | None,
    weights: str,
    layer_map: Mapping[str, str] | None,
    dtype: str,
    progress: Progress,
) -> tuple[Findings, list[str]]:
    """Both models run with the same weights, their calls side by side; what did not fit."""
    keras = open_side("keras", keras_model, dtype)
    progress.advance("Keras's is built")
    torch = open_side("torch", torch_model, dtype)
    progress.advance("PyTorch's is built")
    keras_run = _fused(keras.run(inputs))
    progress.advance("Keras's has run")
    torch_run = _fused(torch.run(inputs, own).facing(keras_run))
    progress.advance("PyTorch's has run")
    refuse_empty("keras_model", keras, keras_run)
    refuse_empty("torch_model", torch, torch_run)
    if len(keras_run.outputs) != len(torch_run.outputs):
        raise ParityError(
            f"outputs: received {', '.join(keras_run.outputs)} of Keras and "
            f"{', '.join(torch_run.outputs)} of PyTorch, accepted: as many of either"
        )
    alignment = align(keras_run.calls, torch_run.calls, layer_map)
    notes = []
    if weights != "as-is":
        notes += _copy_weights(alignment, keras, torch, weights)
        if weights == "torch":
            keras_run.forget()
            keras_run = _fused(keras.run(inputs))
        torch_run.forget()
        torch_run = _fused(torch.run(inputs, own).facing(keras_run))
        alignment = alignment.of(keras_run, torch_run)
    progress.advance("they have the same weights")
    return Findings(keras, torch, keras_run, torch_run, alignment), notes


def _arrays(values: Any, name: str) -> list[np.ndarray]:
    several = values if isinstance(values, (list, tuple)) else [values]
    try:
        arrays = [np.asarray(value) for value in several]
    except ValueError:
        raise ParityError(
            f"{name}: received a list of unequal lengths, accepted: arrays of numbers"
        ) from None
    for array in arrays:
        if array.dtype.kind not in "fiub":
            raise ParityError(f"{name}: received {array.dtype}, accepted: arrays of numbers")
    if not arrays:
        raise ParityError(f"{name}: received none, accepted: an array, or several in a list")
    return arrays


def _fused(run: Run) -> Run:
    return run.with_outputs(fused(run.calls))


def _copy_weights(alignment: Alignment, keras: Side, torch: Side, weights: str) -> list[str]:
    """Each layer's weights over to its partner; what does not fit is told and left as it is."""
    notes = []
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
        left = sorted({*k.weights, *t.weights} - {*fitting})
        if left:
            notes.append(f"{k.name} / {t.name}: not copied, for they do not fit: {', '.join(left)}")
    loose.carry(alignment, keras, torch, weights)
    return notes


def _report(findings: Findings, trained: Training, notes: list[str], dtype: str) -> Report:
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
    return Report(
        verdict="different" if parted else "same",
        dtype=dtype,
        first_divergence=parted[0] if parted else None,
        causes=tuple(causes),
        latent=(*latent, *trained.latent),
        compared=tuple(findings.compared),
        keras_only=tuple(f"{one.name} ({one.kind})" for one in findings.alignment.keras_only),
        torch_only=tuple(f"{one.name} ({one.kind})" for one in findings.alignment.torch_only),
        notes=(*notes, *trained.notes),
    )
