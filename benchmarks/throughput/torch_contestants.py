"""PyTorch without anything of ours."""

from __future__ import annotations

from typing import Any

from benchmarks.throughput.workloads import Workload


def dataloader(workload: Workload) -> Any:
    """The tutorial's loop."""
    import torch
    from torch.nn import functional as F
    from torch.utils.data import DataLoader, TensorDataset

    from benchmarks.throughput import plain_torch

    model = plain_torch.model(workload)
    optimizer = torch.optim.Adam(model.parameters())
    loader = DataLoader(TensorDataset(*plain_torch.tensors(workload)), workload.batch, shuffle=True)

    def epoch() -> None:
        model.train()
        for x, y, *lengths in loader:
            optimizer.zero_grad()
            F.cross_entropy(model(x, *lengths), y).backward()
            optimizer.step()

    return epoch


def loop(channels_last: bool = False, fused: bool = False, compiled: bool = False) -> Any:
    """Batches by index, no DataLoader."""

    def prepare(workload: Workload) -> Any:
        import torch
        from torch.nn import functional as F

        from benchmarks.throughput import plain_torch

        model = plain_torch.model(workload)
        x, y, *lengths = plain_torch.tensors(workload)
        if channels_last and workload.channels:
            model = model.to(memory_format=torch.channels_last)
            x = x.contiguous(memory_format=torch.channels_last)
        forward = torch.compile(model) if compiled else model
        optimizer = torch.optim.Adam(model.parameters(), fused=fused or None)

        def epoch() -> None:
            model.train()
            losses = []
            for picked in torch.randperm(len(x)).split(workload.batch):
                loss = F.cross_entropy(forward(x[picked], *(t[picked] for t in lengths)), y[picked])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.detach())
            torch.stack(losses).numpy()

        return epoch

    return prepare


def lightning(workload: Workload) -> Any:
    """PyTorch Lightning's Trainer, everything that is not training switched off."""
    import logging
    import warnings

    import pytorch_lightning as pl
    import torch
    from torch.nn import functional as F
    from torch.utils.data import DataLoader, TensorDataset

    from benchmarks.throughput import plain_torch

    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")

    class Classifier(pl.LightningModule):
        def __init__(self):
            super().__init__()
            self.model = plain_torch.model(workload)

        def training_step(self, batch):
            x, y, *lengths = batch
            return F.cross_entropy(self.model(x, *lengths), y)

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters())

    model = Classifier()
    loader = DataLoader(TensorDataset(*plain_torch.tensors(workload)), workload.batch, shuffle=True)

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
