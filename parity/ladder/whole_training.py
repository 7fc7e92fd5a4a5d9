"""A training over epochs, as recorded after the ladder."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from parity import rungs
from parity.adapters.backend import Model
from parity.adapters.state import History
from parity.data.datasets import Split
from parity.ladder import contents, fit
from parity.specs import objective, predictions, weights
from parity.specs.run import Spec


class _EpochProgress(fit.Watch):
    """Reports the end of each epoch."""

    def __init__(self, epochs: int, advance: Callable[[str], None]) -> None:
        self.epochs, self.advance = epochs, advance

    def epoch(self, epoch: int, logs: dict[str, float]) -> None:
        """See :meth:`parity.ladder.fit.Watch.epoch`."""
        self.advance(f"float64, epoch {epoch + 1}/{self.epochs}")


def trained(
    model: Model, spec: Spec, train: Split, test: Split, advance: Callable[[str], None]
) -> dict[str, np.ndarray]:
    """Train from the initial weights to the last epoch, or until a callback stops.

    Args:
        model: with the training examples (:meth:`parity.adapters.backend.Model.feed`).
        spec: the run.
        train: training examples in the model's form.
        test: test examples, for validation.
        advance: called with a description after each epoch.

    Returns:
        Tensors named as in :data:`parity.ladder.contents.TRAINED`, and ``weights/…``.
    """
    model.set_weights(weights.initial_weights(spec.model, spec.training.seed))
    model.reset_optimizer()
    history = History()
    watch = _EpochProgress(spec.training.epochs, advance)
    outputs = fit.fit(model, spec, train, test, history, watch)
    return {
        "epochs": np.asarray(len(history.epochs)),
        "losses": np.concatenate(history.losses),
        **{
            f"history/{name}": np.array([epoch[name] for epoch in history.epochs])
            for name in contents.HISTORY
        },
        "outputs": outputs,
        "labels": predictions.labels(spec.model, outputs),
        **rungs.with_prefix("weights", model.weights()),
    }


def scores(spec: Spec, found: Mapping[str, np.ndarray], test: Split) -> dict[str, float]:
    """Return epochs, steps, test accuracy and test loss of the result of :func:`trained`."""
    loss = objective.reference_loss(spec.model, test.y, found["outputs"])
    return {
        "epochs": int(found["epochs"]),
        "steps": len(found["losses"]),
        "accuracy": predictions.accuracy(found["labels"], test.y),
        "loss": loss,
    }
