"""A whole training: epochs, validation, callbacks, checkpoints; the same loop for every backend."""

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
"""Steps between two looks at the clock; a chunk's masks are drawn while the last one runs."""

MOST_STEPS = 10**7
"""Steps that a training may take: the loss of each is kept, 80 MB of them in float64."""


class Watch:
    """Who is told while it trains; here nobody listens."""

    def chunk(self, chunk: Chunk) -> None:
        """Some steps were made."""

    def epoch(self, epoch: int, logs: dict[str, float]) -> None:
        """An epoch, numbered from 0, has ended with these metrics."""

    def state(self, history: History, epoch_ends: bool) -> None:
        """Training can be gone on from here; called after :meth:`chunk` and :meth:`epoch`."""


def steps_of(spec: Spec, examples: int) -> int:
    """Steps that the training takes if nothing stops it.

    Raises:
        ParityError: they are too many to keep each one's loss.
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
    """Train to the last epoch, or to where a callback stops.

    An epoch's metrics are ``loss``, the mean of its batches' losses, each of the size of its batch;
    ``val_loss`` and ``val_accuracy`` of the test set; and ``learning_rate``, of the step that would
    follow, before a callback lowers it.

    Args:
        model: with its examples in place (:meth:`parity.adapters.backend.Model.feed`).
        spec: the run.
        train: examples as the model takes them.
        test: likewise, to validate on.
        history: how far the training has come; it is kept up to date.
        watch: who is told.
        chunk_steps: steps in one piece at most.

    Returns:
        What the model returns for the test set at the end, (N, units).
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
    """Examples in each step of an epoch, float64 (steps,)."""
    size = spec.training.batch_size
    starts = np.arange(0, examples, size)
    return np.minimum(size, examples - starts).astype(np.float64)
