"""PyTorch without this project: the tutorial's loop, Lightning, the best hand-written loop."""

from __future__ import annotations

import logging
import warnings
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.throughput import plain_torch
from benchmarks.throughput.workloads import Round, Workload


def dataloader(workload: Workload) -> Round:
    """The usual loop: ``TensorDataset``, ``DataLoader``, Adam."""
    model = plain_torch.model(workload)
    optimizer = torch.optim.Adam(model.parameters())
    loader = _loader(workload)

    def epoch() -> None:
        model.train()
        for x, y, *lengths in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x, *lengths), y)
            loss.backward()
            optimizer.step()

    return epoch


def by_hand(
    workload: Workload,
    compiled: bool = False,
    channels_last: bool = True,
    fused: bool = True,
    flushed: bool = True,
    kept: bool = True,
) -> Round:
    """Batches by index, losses read at the end.

    Args:
        workload: what to train.
        compiled: whether ``torch.compile`` makes kernels of the model.
        channels_last: how images lie in memory.
        fused: whether Adam is one kernel.
        flushed: whether denormal numbers count as zero, as TensorFlow has it.
        kept: whether memory of tensors that are gone is kept for others.
    """
    if kept:
        plain_torch.keep_memory()
    model = plain_torch.model(workload)
    x, y, *lengths = plain_torch.tensors(workload, long=True)
    if workload.channels and channels_last:
        model = model.to(memory_format=torch.channels_last)
        x = x.contiguous(memory_format=torch.channels_last)
    forward = torch.compile(model) if compiled else model
    optimizer = torch.optim.Adam(model.parameters(), fused=fused or None)
    model.train()
    torch.set_flush_denormal(flushed)

    def epoch() -> None:
        losses: list[Tensor] = []
        for picked in torch.randperm(len(x))[: workload.examples].split(workload.batch):
            logits = forward(x[picked], *(one[picked] for one in lengths))
            loss = F.cross_entropy(logits, y[picked])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        torch.stack(losses).numpy()

    return epoch


def lightning(workload: Workload) -> Round:
    """PyTorch Lightning's ``Trainer``, with everything except training switched off."""
    import pytorch_lightning as pl

    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")

    class Classifier(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = plain_torch.model(workload)

        def training_step(self, batch: Any) -> Tensor:
            x, y, *lengths = batch
            return F.cross_entropy(self.model(x, *lengths), y)

        def configure_optimizers(self) -> Any:
            return torch.optim.Adam(self.parameters())

    model, loader = Classifier(), _loader(workload)

    def epoch() -> None:
        pl.Trainer(
            max_epochs=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            accelerator="cpu",
        ).fit(model, loader)

    return epoch


def _loader(workload: Workload) -> Any:
    data = TensorDataset(*plain_torch.tensors(workload))
    return DataLoader(data, batch_size=workload.batch, shuffle=True)
