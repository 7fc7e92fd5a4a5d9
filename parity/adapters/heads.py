"""Heads: a final activation that one model has and the other leaves to its loss.

Keras's models usually end in a softmax; PyTorch's return logits for ``nn.CrossEntropyLoss``. To
compare their outputs, the missing activation is applied to what the model without it returns. The
losses are computed from what each model returns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from parity.adapters.calls import Call, Run
from parity.reference.layers import activations

Heads = Mapping[str, str]
"""Name of an output to the activation that is applied to it."""

FINAL = ("softmax", "sigmoid", "log_softmax")
"""Activations that a loss may contain."""

SMALLEST = float(np.finfo(np.float64).tiny)


def with_heads(run: Run, heads: Heads, substitutes: Mapping[int, np.ndarray] | None = None) -> Run:
    """The run of a model with activations applied to its outputs, each as one more call.

    Args:
        run: of the model.
        heads: by output; the activation is along the last axis of a canonical array.
        substitutes: number of a call to the output that it hands on instead of its own.
    """
    if not heads:
        return run
    calls, outputs, sources = [*run.calls], {**run.outputs}, {**run.sources}
    through = {name: value for name, value in run.through.items() if name not in heads}
    native = {**run.native_layout}
    for name, activation in heads.items():
        number, value = len(calls), outputs[name]
        outputs[name] = activations.apply(activation, value)
        if substitutes and number in substitutes:
            outputs[name] = substitutes[number]
        if name in native:  # channels-first
            moved = np.moveaxis(native[name], 1, -1)
            native[name] = np.moveaxis(activations.apply(activation, moved), -1, 1)
        calls.append(
            Call(
                number=number,
                name=f"{name}.{activation}",
                kind=activation,
                config=activations.Activation(activation=activation),
                weights={},
                inputs=(value,),
                output=outputs[name],
                sources=(sources[name],),
                through=run.through.get(name, ()),
            )
        )
        sources[name] = number
    return replace(
        run, calls=calls, outputs=outputs, sources=sources, native_layout=native, through=through
    )


def without_head(value: np.ndarray, activation: str) -> np.ndarray:
    """Logits that an activation turns into this value; of a softmax one of many."""
    if activation == "log_softmax":
        return value
    log = np.log(value.clip(SMALLEST))
    found = log if activation == "softmax" else log - np.log1p(-value.clip(None, 1 - 2.0**-53))
    return np.asarray(found)


def final_activation(run: Run, name: str) -> str:
    """The activation that a model's output comes from: one of :data:`FINAL`, or empty."""
    source = run.sources[name]
    if source is None or source < 0:
        return ""
    config = run.calls[source].config
    if isinstance(config, activations.Softmax):
        return "softmax" if config.axis == -1 else ""
    activation = getattr(config, "activation", None)
    return activation if activation in FINAL else ""


def missing_heads(keras: Run, torch: Run) -> tuple[dict[str, str], dict[str, str]]:
    """The activations that only the other model applies: to Keras's outputs, to PyTorch's."""
    found: tuple[dict[str, str], dict[str, str]] = ({}, {})
    for a, b in zip(keras.outputs, torch.outputs, strict=False):
        of_keras, of_torch = final_activation(keras, a), final_activation(torch, b)
        if of_keras and of_torch in ("", "log_softmax") and of_keras != of_torch:
            found[1][b] = of_keras
        elif of_torch and not of_keras:
            found[0][a] = of_torch
    return found
