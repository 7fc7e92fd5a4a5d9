"""The floor: only the matrix products, convolutions and recurrent kernels of a step."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from benchmarks.throughput import plain_torch
from benchmarks.throughput.workloads import CLASSES, Workload

Kernel = Callable[[], Any]


def kernels(workload: Workload) -> Callable[[], None]:
    """A pass of the workload's steps without data, activations, loss or optimizer."""
    plain_torch.keep_memory()
    calls = _recurrent(workload) if workload.cell else _forward_only(workload)

    def epoch() -> None:
        for _ in range(workload.steps):
            for call in calls:
                call()

    return epoch


def _forward_only(workload: Workload) -> list[Kernel]:
    """Convolutions, then matrix products: outputs and gradients.

    The first layer's input needs none.
    """
    calls: list[Kernel] = []
    height, width, into = workload.shape
    first = True
    for channels in workload.channels:
        calls += _convolution(workload.batch, into, channels, height, width, first)
        height, width, into, first = height // 2, width // 2, channels, False
    for rows, columns in pairwise((height * width * into, *workload.hidden, CLASSES)):
        x, w = torch.rand(workload.batch, rows), torch.rand(rows, columns)
        calls += _product(x, w, first)
        first = False
    return calls


def _product(x: Tensor, w: Tensor, first: bool) -> list[Kernel]:
    y = x @ w
    to_w, to_x = torch.empty_like(w), torch.empty_like(x)
    calls: list[Kernel] = [
        lambda: torch.mm(x, w, out=y),
        lambda: torch.mm(x.t(), y, out=to_w),
    ]
    return calls if first else [*calls, lambda: torch.mm(y, w.t(), out=to_x)]


def _convolution(
    batch: int, into: int, out: int, height: int, width: int, first: bool
) -> list[Kernel]:
    last = torch.channels_last
    x = torch.rand(batch, into, height, width).contiguous(memory_format=last)
    w = torch.rand(out, into, 3, 3).contiguous(memory_format=last)
    y = torch.conv2d(x, w, padding=1)
    backward = torch.ops.aten.convolution_backward
    geometry = ([1, 1], [1, 1], [1, 1], False, [0, 0], 1)
    return [
        lambda: torch.conv2d(x, w, padding=1),
        lambda: backward(y, x, w, None, *geometry, [not first, True, False]),
    ]


def _recurrent(workload: Workload) -> list[Kernel]:
    """The recurrent kernel forwards and backwards, then the product for the classes."""
    model = plain_torch.model(workload)
    x, _, *lengths = (values[: workload.batch] for values in plain_torch.tensors(workload))

    def there_and_back() -> None:
        _, state = model.rnn(model.packed(x, *lengths))
        last = state[0] if isinstance(state, tuple) else state
        torch.autograd.grad(last, list(model.rnn.parameters()), torch.ones_like(last))

    h, w = torch.rand(workload.batch, workload.units), torch.rand(workload.units, CLASSES)
    return [there_and_back, *_product(h, w, first=False)]
