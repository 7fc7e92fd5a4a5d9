"""What Keras layers carry from call to call: states of recurrent layers, and other variables.

Each run starts from the same. Twin: ``torch_impl/capture/module_state.py``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_impl.capture.read import weights
from keras_impl.private_api import layers_of


def stateful(model: Any) -> list[str]:
    """Names of the layers that keep their states from batch to batch."""
    return [one.name for one in layers_of(model) if getattr(one, "stateful", False) is True]


def reset(model: Any) -> None:
    """Set the states of all stateful layers to zero, as Keras does when it is asked to."""
    for layer in layers_of(model) if stateful(model) else ():
        if getattr(layer, "stateful", False) is True:
            own = getattr(layer, "reset_states", None) or getattr(layer, "reset_state", None)
            with contextlib.suppress(AttributeError, ValueError):  # not built yet
                if own is not None:
                    own()


@contextlib.contextmanager
def variables_kept(model: Any) -> Iterator[None]:
    """Variables that are not trained, such as moving averages, are afterwards as they were."""
    try:
        variables = list(model.non_trainable_variables)
    except ValueError:  # not built yet
        variables = []
    kept = [(one, weights.array_of(one)) for one in variables]
    yield
    for variable, value in kept:
        if not np.may_share_memory(weights.array_of(variable), value):  # it has changed
            variable.assign(value)


def own_code(model: Any) -> bool:
    """Whether a layer, or the model itself, is of a class that is not Keras's."""
    kinds = {type(one).__module__.split(".")[0] for one in (model, *layers_of(model))}
    return bool(kinds - {"keras", "tf_keras"})
