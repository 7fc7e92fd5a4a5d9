"""The training loop of every backend: epochs, validation, callbacks, checkpoints."""

from __future__ import annotations

import numpy as np

from parity.adapters.backend import Model
from parity.adapters.state import History
from parity.data import batches
from parity.data.batches import Chunk
from parity.data.datasets import Split
from parity.errors import ParityError
from parity.specs import predictions
from parity.specs.run import Spec

CHUNK_STEPS = 100
"""Steps per chunk; the random draws of a chunk are created while the previous one runs."""

MOST_STEPS = 10**7
"""Largest number of steps: the loss of each is kept, 80 MB in float64."""


class Watch:
    """Callbacks of a training, which do nothing here; subclasses override them."""

    def chunk(self, chunk: Chunk) -> None:
        """Called after each chunk of steps."""

    def epoch(self, epoch: int, logs: dict[str, float]) -> None:
        """Called after each epoch, numbered from 0, with its metrics."""

    def state(self, history: History, epoch_ends: bool) -> None:
        """Called where training can be resumed, after :meth:`chunk` and :meth:`epoch`."""


def steps_of(spec: Spec, examples: int) -> int:
    """Return the number of steps of a training that no callback stops.

    Raises:
        ParityError: they are more than ``MOST_STEPS``.
    """
    per_epoch = batches.steps_per_epoch(spec.training, examples)
    steps = per_epoch * spec.training.epochs
    if steps > MOST_STEPS:
        raise ParityError(
            f"--epochs: received {spec.training.epochs}, accepted: at most "
            f"{MOST_STEPS // per_epoch} of {per_epoch} steps"
        )
    return steps


def fit(
    model: Model,
    spec: Spec,
    train: Split,
    test: Split,
    history: History,
    watch: Watch,
    chunk_steps: int = CHUNK_STEPS,
) -> np.ndarray:
    """Train to the last epoch, or until a callback stops.

    The metrics of an epoch are ``loss``, the mean of its batches' losses weighted by batch size;
    ``val_loss`` and ``val_accuracy`` on the test set; and ``learning_rate``, that of the next step
    before a callback reduces it.

    Args:
        model: with the training examples (:meth:`parity.adapters.backend.Model.feed`).
        spec: the run.
        train: training examples in the model's form.
        test: test examples, for validation.
        history: progress of the training, which is updated.
        watch: callbacks.
        chunk_steps: largest number of steps per chunk.

    Returns:
        The outputs for the test set at the end, (N, units).
    """
    size, per_epoch = len(train.x), batches.steps_per_epoch(spec.training, len(train.x))
    steps, done = steps_of(spec, size), history.steps
    lengths = _batch_sizes(spec, size)
    outputs = None
    if done < steps and not history.stopped:
        for chunk in batches.chunks(spec, size, steps, chunk_steps, done):
            history.losses.append(model.train(chunk))
            done += chunk.steps
            watch.chunk(chunk)
            ends = done % per_epoch == 0
            if ends:
                losses = np.concatenate(history.losses)[-per_epoch:].astype(np.float64)
                history.losses = [np.concatenate(history.losses)]
                val_loss, outputs = model.validate(test)
                predicted = predictions.labels(spec.model, outputs)
                logs = {
                    "loss": float(losses @ lengths) / size,
                    "val_loss": val_loss,
                    "val_accuracy": predictions.accuracy(predicted, test.y),
                    "learning_rate": model.learning_rate(),
                }
                history.epochs.append(logs)
                history.stopped = model.epoch_end(chunk.epoch, logs)
                watch.epoch(chunk.epoch, logs)
            watch.state(history, ends)
            if history.stopped:
                break
    model.finish()
    if outputs is None or spec.replaces_final_weights:
        return model.outputs(test)
    return outputs


def _batch_sizes(spec: Spec, examples: int) -> np.ndarray:
    """Return the batch size of each step of an epoch, float64 (steps,)."""
    size = spec.training.batch_size
    starts = np.arange(0, examples, size)
    return np.minimum(size, examples - starts).astype(np.float64)
