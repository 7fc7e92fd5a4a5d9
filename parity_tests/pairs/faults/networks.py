"""Faults in the whole models of :mod:`parity_tests.pairs.zoo.models`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn

from parity_tests.pairs.zoo.models import PAIRS, fill
from parity_tests.support.fault import Fault, Pair


def fault(
    name: str,
    pair: str,
    layer: str,
    cause: str,
    inject: Callable[[nn.Module], None] | None = None,
    **changed: Any,
) -> Fault[Pair]:
    """A fault in the pair of this name, with these options of its PyTorch model changed."""
    keras, torch, inputs = PAIRS[pair].keras, PAIRS[pair].torch, PAIRS[pair].inputs
    models = Pair(lambda package: fill(keras(package)), partial(torch, **changed), inputs)
    return Fault(name=name, models=models, inject=inject, layer=layer, causes=(cause,))


def channels_last_rows(model: Any) -> None:
    """Order the dense kernel's rows like Keras's map (2, 2, 6); PyTorch flattens (6, 2, 2)."""
    weight = model.fc1.weight.data
    weight.copy_(weight.reshape(5, 6, 2, 2).permute(0, 2, 3, 1).reshape(5, 24))


def transposed_kernel(model: Any) -> None:
    """Exchange height and width of the first convolution's kernel."""
    weight = model.features["conv"].weight.data
    weight.copy_(weight.transpose(2, 3).contiguous())


def transposed_dense(model: Any) -> None:
    """Transpose a square dense kernel."""
    model.encoder.weight.data = model.encoder.weight.data.T.contiguous()


FAULTS = [
    fault("batch norm's epsilon", "cnn", "norm", "batch_norm.epsilon", epsilon=1e-5),
    fault("padding on both sides", "cnn", "stem", "conv.same_padding", stem_padding=(1, 1, 1, 1)),
    fault("padding before", "cnn", "stem", "conv.same_padding", stem_padding=(1, 0, 1, 0)),
    fault("activation before the norm", "cnn", "norm", "structure.order", norm_first=False),
    fault("no activation", "cnn", "act", "structure.missing", act="none"),
    fault("another activation", "cnn", "act", "activation.function", act="elu"),
    fault("leaky slope", "cnn", "leaky", "leaky_relu.slope", slope=0.01),
    fault("gelu's formula", "cnn", "hidden.gelu", "gelu.approximate", gelu="tanh"),
    fault("another pool", "cnn", "pool", "average_pool.kind", pool="max"),
    fault("no softmax", "cnn", "classes.softmax", "structure.missing", softmax=False),
    fault("layer norm's epsilon", "residual", "norm", "layer_norm.epsilon", epsilon=1e-5),
    fault("no skip connection", "residual", "sum", "structure.missing", skip=False),
    fault("sigmoid for tanh", "residual", "shared.tanh", "activation.function", tanh=False),
    fault("no relu", "residual", "deep.relu", "structure.missing", relu=False),
    fault("inputs in another order", "residual", "join", "structure.order", swapped=True),
    fault("steps for examples", "lstm", "recurrent", "lstm.batch_first", batch_first=False),
    fault("rows of a flattened map", "cnn", "hidden", "flatten.order", channels_last_rows),
    fault("kernel transposed", "cnn", "stem", "conv.kernel_layout", transposed_kernel),
    fault("dense kernel transposed", "residual", "shared", "dense.kernel_layout", transposed_dense),
]
