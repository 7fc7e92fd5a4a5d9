"""A whole training as a record keeps it, to be compared behind the ladder."""

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


class _EachEpoch(fit.Watch):
    """Tells that an epoch has ended."""

    def __init__(self, epochs: int, advance: Callable[[str], None]) -> None:
        self.epochs, self.advance = epochs, advance

    def epoch(self, epoch: int, logs: dict[str, float]) -> None:
        """See :meth:`parity.ladder.fit.Watch.epoch`."""
        self.advance(f"float64, epoch {epoch + 1}/{self.epochs}")


def trained(
    model: Model, spec: Spec, train: Split, test: Split, advance: Callable[[str], None]
) -> dict[str, np.ndarray]:
    """The spec's training from its initial weights, as far as it goes.

    Args:
        model: with its examples in place.
        spec: the run.
        train: examples as the model takes them.
        test: likewise, to validate on.
        advance: called with a description after each epoch.

    Returns:
        Tensors named as in :data:`parity.ladder.contents.TRAINED`, and ``weights/…``.
    """
    model.set_weights(weights.initial_weights(spec.model, spec.training.seed))
    model.reset_optimizer()
    history = History()
    watch = _EachEpoch(spec.training.epochs, advance)
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
    """What people want to read of what :func:`trained` found: how far it went, how good it is."""
    loss = objective.reference_loss(spec.model, test.y, found["outputs"])
    return {
        "epochs": int(found["epochs"]),
        "steps": len(found["losses"]),
        "accuracy": predictions.accuracy(found["labels"], test.y),
        "loss": loss,
    }
