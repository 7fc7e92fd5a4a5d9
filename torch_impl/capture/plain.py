"""A PyTorch model that runs as its owner runs it. Twin: ``keras_impl/capture/plain.py``."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from parity.adapters.calls import Run
from parity.adapters.heads import Heads, with_heads
from parity.adapters.plain import PlainTraining
from parity.adapters.side import CannotRun
from parity.adapters.trainer import Batch
from torch_impl.capture.errors import describe_error
from torch_impl.capture.read.layout import Layout
from torch_impl.capture.trace.nesting import named_outputs

RATES = ("dropout", "drop_prob", "drop_rate")
"""Attributes that are rates in any module."""

OWN_RATES = (*RATES, "p", "rate", "stddev")
"""Those of PyTorch's dropouts and of ``torch_impl.nn``; elsewhere they mean other things."""


def outputs(
    model: nn.Module, call: Callable[[], Any], layouts: Sequence[Layout], heads: Heads
) -> Run:
    """The model's outputs in evaluation mode, without calls.

    Args:
        model: in its own dtype.
        call: calls it.
        layouts: of the outputs.
        heads: activations that are applied to the outputs.
    """
    model.eval()
    with torch.no_grad():
        out = call()
    found: dict[str, np.ndarray] = {}
    native: dict[str, np.ndarray] = {}
    for (name, tensor), layout in zip(named_outputs(out), layouts, strict=True):
        value = tensor.detach().cpu()
        found[name] = layout.to_canonical(value).numpy()
        if not layout.canonical:
            native[name] = value.numpy()
    run = Run(calls=[], outputs=found, sources=dict.fromkeys(found), native_layout=native)
    return with_heads(run, heads)


def training(trainer: Any, batch: Batch, steps: int) -> PlainTraining:
    """Optimizer steps with the user's loss and optimizer; rates of random layers are 0.

    Args:
        trainer: a :class:`torch_impl.capture.trainer.TorchTrainer`; it ends as it was.
        batch: of every step.
        steps: number of steps; 0: the loss alone.

    Raises:
        CannotRun: the model, the loss or the optimizer raises.
    """
    trainer.start()
    model = trainer.side.model
    tensors, _ = trainer.side.tensors(batch.inputs, batch.torch_inputs)
    given_as = batch.inputs if batch.torch_inputs is None else batch.torch_inputs

    def call() -> Any:
        return trainer.side.called_with(given_as, tensors)

    losses, weights = [], []
    try:
        with without_draws(model):
            model.train()
            random = _differs(call)
        trainer.start()  # which restores the rates
        with without_draws(model):
            model.train()
            for number in range(max(steps, 1)):
                model.zero_grad(set_to_none=True)
                out = [one for _, one in named_outputs(call())]
                loss = trainer.total_loss(out, batch)
                if trainer.loss_shape:
                    raise CannotRun("torch_model: its loss is not a number")
                losses.append(float(loss.detach()))
                if steps:
                    loss.backward()
                    trainer.make_step()
                if number in (0, steps - 1):
                    weights.append({key: np.array(one) for key, one in trainer.weights().items()})
    except CannotRun:
        raise
    except Exception as error:
        text = f"torch_model: cannot be trained plainly: {describe_error(error)}"
        raise CannotRun(text) from error
    finally:
        model.zero_grad(set_to_none=True)
        trainer.start()
    return PlainTraining(tuple(losses), weights[0], weights[-1], random)


def _differs(call: Callable[[], Any]) -> bool:
    """Whether two calls in training mode give other outputs."""
    with torch.no_grad():
        first, second = ([one.clone() for _, one in named_outputs(call())] for _ in range(2))
    return not all(torch.allclose(a, b, equal_nan=True) for a, b in zip(first, second, strict=True))


@contextlib.contextmanager
def without_draws(model: nn.Module) -> Iterator[None]:
    """Dropout and noise of modules have a rate of 0."""
    changed = []
    for module in model.modules():
        packages = ("torch.nn.modules.dropout", "torch_impl.nn")
        own = any(one.__module__.startswith(packages) for one in type(module).__mro__)
        for name in OWN_RATES if own else RATES:
            value = vars(module).get(name)
            if isinstance(value, float) and value:
                changed.append((module, name, value))
                setattr(module, name, 0.0)
    try:
        yield
    finally:
        for module, name, value in changed:
            setattr(module, name, value)
