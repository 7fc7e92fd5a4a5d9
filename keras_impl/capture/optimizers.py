"""The Keras optimizer that a user passes. Twin: ``torch_impl/capture/optimizers.py``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras_impl.capture.errors import describe_error
from keras_impl.private_api import exclude_from_decay
from parity.errors import ParityError
from parity.reference.keras_config import rounded
from parity.reference.optimizers.table import OPTIMIZERS


def users(
    keras: Any, optimizer: Any, copies: Sequence[tuple[Any, Any]]
) -> tuple[Any, dict[str, Any]]:
    """A copy with its floats rounded as Keras rounds them, and its configuration.

    Args:
        keras: the module.
        optimizer: one of it, or its name.
        copies: variables of the user's model, each with its copy that is trained.

    Raises:
        ParityError: it is no optimizer, or has no configuration.
    """
    if isinstance(optimizer, str):
        kinds = {row.kind.lower(): row.kind for row in OPTIMIZERS.values()}
        kind = kinds.get(optimizer.lower(), "")
        try:  # of some, Keras 2 does not know the name
            named = getattr(keras.optimizers, kind, None)
            optimizer = named() if named else keras.optimizers.get(optimizer)
        except Exception as error:
            raise ParityError(
                f"optimizer: received {optimizer!r}, accepted: {', '.join(sorted(kinds))}"
            ) from error
    if not hasattr(optimizer, "apply_gradients"):
        raise ParityError(
            f"optimizer: received {type(optimizer).__name__} for Keras, accepted: a name, or an "
            "optimizer of Keras's"
        )
    try:
        config = optimizer.get_config()
        rate = config.get("learning_rate")
        if hasattr(rate, "dtype"):
            config["learning_rate"] = float(rate)
        config = rounded(config)
        made = type(optimizer).from_config(dict(config))  # which puts a schedule in its own
        exclude_from_decay(made, optimizer, copies)
        return made, config
    except Exception as error:
        raise ParityError(
            f"optimizer: received {type(optimizer).__name__}, which cannot be copied "
            f"({describe_error(error)}), accepted: one with a constant rate, or a schedule "
            "that says how it is configured"
        ) from error
