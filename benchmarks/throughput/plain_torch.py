"""The models as in a PyTorch tutorial."""

from __future__ import annotations

import ctypes
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from benchmarks.throughput.workloads import CLASSES, Workload


class Recurrent(nn.Module):
    """A recurrent layer's last state, followed by the layer for the classes."""

    def __init__(self, workload: Workload) -> None:
        super().__init__()
        kind = {"gru": nn.GRU, "lstm": nn.LSTM}[workload.cell]
        self.rnn = kind(workload.shape[1], workload.units, batch_first=True)
        self.logits = nn.Linear(workload.units, CLASSES)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Map x (N, T, D), with lengths (N,) if they differ, to (N, classes)."""
        _, state = self.rnn(self.packed(x, lengths))
        return self.logits((state[0] if isinstance(state, tuple) else state)[-1])

    @staticmethod
    def packed(x: Tensor, lengths: Tensor | None = None) -> Any:
        """The sequences, packed without padding if they have lengths."""
        if lengths is None:
            return x
        return pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)


def keep_memory() -> None:
    """Make the C library keep freed memory: no mmap, no trimming; see mallopt(3)."""
    libc = ctypes.CDLL(None)
    libc.mallopt(-4, 0)
    libc.mallopt(-1, -1)


def model(workload: Workload) -> nn.Module:
    """A model from images (N, C, H, W), or sequences (N, T, D), to logits (N, classes)."""
    if workload.cell:
        return Recurrent(workload)
    stack: list[nn.Module] = []
    height, width, into = workload.shape
    for channels in workload.channels:
        stack.append(nn.Conv2d(into, channels, 3, padding="same"))
        if workload.batch_norm:
            stack.append(nn.BatchNorm2d(channels))
        stack += [nn.ReLU(), nn.MaxPool2d(2)]
        if workload.rate:
            stack.append(nn.Dropout2d(workload.rate))
        height, width, into = height // 2, width // 2, channels
    stack.append(nn.Flatten())
    into *= height * width
    for units in workload.hidden:
        stack += [nn.Linear(into, units), nn.ReLU()]
        if workload.rate and not workload.channels:
            stack.append(nn.Dropout(workload.rate))
        into = units
    return nn.Sequential(*stack, nn.Linear(into, CLASSES))


def tensors(workload: Workload, long: bool = False) -> list[Tensor]:
    """Inputs as the model takes them, labels, and lengths; ``long`` as of the data."""
    x, y, lengths = workload.data(long)
    inputs = torch.from_numpy(x)
    if not workload.cell:
        inputs = inputs.permute(0, 3, 1, 2).contiguous()
    return [inputs, torch.from_numpy(y), *([] if lengths is None else [torch.from_numpy(lengths)])]
