"""NumPy reference of a model's loss, and which losses each model accepts."""

from __future__ import annotations

from typing import Any

import numpy as np

from parity.constants import as_float32
from parity.errors import ParityError
from parity.reference.losses.formulas import (
    CLIPPED,
    CLIPPED_AND_ADDED,
    FORMULAS,
    LOG_EPSILON,
    NORMALISED,
    SHORTEST,
)
from parity.reference.losses.table import CROSSENTROPY, LOSSES, SPARSE
from parity.specs.base import ModelSpec
from parity.specs.training import TrainingSpec


def check_model(model: ModelSpec, training: TrainingSpec) -> None:
    """Check that a loss is defined for a model's outputs.

    Raises:
        ParityError: the loss needs another head, or probabilities instead of logits.
    """
    row = LOSSES[training.loss]
    for field, accepted in (("head", row.heads), ("output", row.outputs)):
        received = getattr(model, field)
        if received not in accepted:
            raise ParityError(
                f"loss: received {training.loss!r} with {field} {received!r}, "
                f"accepted: {field} {' or '.join(accepted)} ({row.why})"
            )


def loss_class(model: ModelSpec, training: TrainingSpec) -> tuple[str, dict[str, Any]]:
    """Return the class name and the arguments of a loss, which Keras and ``torch_impl.nn`` share.

    The cross-entropy is the binary one for a sigmoid head, else the sparse one. As the sparse one
    has no label smoothing, smoothing selects the categorical one, for one-hot labels.
    """
    arguments: dict[str, Any] = {"reduction": "sum_over_batch_size"}
    if training.loss == "huber":
        arguments["delta"] = as_float32(training.huber_delta)
    if training.loss == "cosine_similarity":
        arguments["axis"] = -1
    if training.loss != CROSSENTROPY:
        return LOSSES[training.loss].kind, arguments
    arguments["from_logits"] = model.output == "logits"
    smoothing = as_float32(training.label_smoothing)
    if not smoothing and model.head == "softmax":
        return SPARSE, arguments
    arguments["label_smoothing"] = smoothing
    return f"{'Binary' if model.head == 'sigmoid' else 'Categorical'}Crossentropy", arguments


def reference_loss(
    spec: ModelSpec,
    y: np.ndarray,
    outputs: np.ndarray,
    class_weights: tuple[float, ...] = (),
    label_smoothing: float = 0.0,
    loss: str = CROSSENTROPY,
    huber_delta: float = 1.0,
) -> float:
    """Return the mean loss over the batch; with class weights it is Σ w_y·ℓ / N.

    With label smoothing s, the cross-entropy's target is (1 − s) + s/C for the label and s/C for
    the other classes; for a sigmoid head it is (1 − s)·y + s/2. The target of the other losses is
    one-hot, or y for a sigmoid head.

    Args:
        spec: the model; its head, output and flavour select the formula.
        y: int64 (N,), class numbers; 0 or 1 for a sigmoid head.
        outputs: float64 (N, units), the model's outputs.
        class_weights: one for each class, or none.
        label_smoothing: s, in [0, 1).
        loss: a name in :data:`parity.reference.losses.table.LOSSES`.
        huber_delta: δ of the loss ``huber``.

    Returns:
        The loss; a cross-entropy is in nats.
    """
    binary, smoothing = spec.head == "sigmoid", as_float32(label_smoothing)
    clipping = NORMALISED if smoothing else CLIPPED  # as Keras's loss of one-hot labels does
    if binary:
        clipping = CLIPPED_AND_ADDED if LOG_EPSILON[spec.flavour] else CLIPPED
    settings: dict[str, Any] = {
        "from_logits": spec.output == "logits",
        "label_smoothing": smoothing,
    }
    if loss == CROSSENTROPY:
        settings["clipping"] = clipping
        loss = "binary_crossentropy" if binary else CROSSENTROPY
    settings |= {"delta": as_float32(huber_delta), "shortest": SHORTEST[spec.flavour]}
    target = y[:, None] if binary else np.eye(spec.outputs)[y]
    losses = FORMULAS[loss].of_examples(settings, target, outputs)
    if class_weights:
        losses *= np.array([as_float32(weight) for weight in class_weights])[y]
    return float(losses.mean())
