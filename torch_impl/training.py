"""A classifier with its loss and optimizer: whole chunks of steps without a ``DataLoader``.

Twin: ``keras_impl/training.py``. Deliberate differences: here the loop over a chunk's steps is
Python, there it is a graph.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from parity.batches import OUTPUT_BATCH, Batch, Chunk
from parity.data import Split
from parity.specs.run import Spec
from torch_impl.framework import dtype_of, torch_device
from torch_impl.losses import HeadLoss
from torch_impl.optimizers import optimizer_for, slots
from torch_impl.trace import traced
from torch_impl.weights import by_canonical_name


class TorchModel:
    """Fulfils :class:`parity.backend.Model`."""

    def __init__(self, model: nn.Module, spec: Spec, dtype: str, device: str) -> None:
        self.device = torch_device(device)
        self.dtype = dtype_of(dtype)
        self.model = model.to(
            device=self.device, dtype=self.dtype, memory_format=torch.channels_last
        )
        self.spec = spec
        self.loss_fn = HeadLoss(spec.model)
        self.layer_names = tuple(layer.name for layer in spec.model.layers())
        self.places = by_canonical_name(model)
        self.trained = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = optimizer_for(spec.optimizer, self.trained)
        self.null: list[Tensor] = []

    def _tensor(self, x: np.ndarray) -> Tensor:
        return torch.as_tensor(x, device=self.device).to(self.dtype)

    def weights(self) -> dict[str, np.ndarray]:
        """See :meth:`parity.backend.Model.weights`."""
        return {
            name: _numpy(place.to_canonical(*place.tensors)) for name, place in self.places.items()
        }

    @torch.no_grad()
    def set_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        """See :meth:`parity.backend.Model.set_weights`."""
        for name, place in self.places.items():
            values = place.from_canonical(self._tensor(weights[name]))
            for tensor, value in zip(place.tensors, values, strict=True):
                tensor.copy_(value)

    def trainable(self) -> frozenset[str]:
        """See :meth:`parity.backend.Model.trainable`."""
        return frozenset(
            name
            for name, place in self.places.items()
            if all(tensor.requires_grad for tensor in place.tensors)
        )

    def counts(self) -> dict[str, int]:
        """See :meth:`parity.backend.Model.counts`.

        Left out is what Keras has nothing of: frozen parameters, and batch norm's batch counter.
        """
        trained = sum(parameter.numel() for parameter in self.trained)
        buffers = sum(b.numel() for b in self.model.buffers() if b.is_floating_point())
        return {"total": trained + buffers, "trainable": trained}

    @contextmanager
    def _probing(self) -> Iterator[None]:
        """With the buffers put back afterwards."""
        buffers = {name: buffer.clone() for name, buffer in self.model.named_buffers()}
        try:
            yield
        finally:
            for name, buffer in self.model.named_buffers():
                buffer.copy_(buffers[name])

    def _loss(
        self, x: Tensor, y: Tensor, lengths: Tensor | None, keep: dict[str, Tensor]
    ) -> Tensor:
        outputs = self.model.train()(x, lengths=lengths, keep=keep)
        return self.loss_fn(y, outputs)

    def _batch(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor | None, dict[str, Tensor]]:
        keep = {
            name: torch.as_tensor(mask, device=self.device) for name, mask in batch.keep.items()
        }
        lengths = None if batch.lengths is None else torch.as_tensor(batch.lengths)
        y = torch.as_tensor(batch.y, device=self.device)
        return self._tensor(batch.x), y, lengths, keep

    @torch.no_grad()
    def trace(self, batch: Batch, training: bool) -> dict[str, np.ndarray]:
        """See :meth:`parity.backend.Model.trace`."""
        x, _, lengths, keep = self._batch(batch)
        with self._probing(), traced(self.model, self.layer_names) as found:
            self.model.train(training)(x, lengths=lengths, keep=keep)
        return found

    @torch.no_grad()
    def loss(self, batch: Batch) -> float:
        """See :meth:`parity.backend.Model.loss`."""
        with self._probing():
            return float(self._loss(*self._batch(batch)))

    def gradients(self, batch: Batch) -> dict[str, np.ndarray]:
        """See :meth:`parity.backend.Model.gradients`."""
        with self._probing():
            loss = self._loss(*self._batch(batch))
            gradients = torch.autograd.grad(loss, self.trained, materialize_grads=True)
        return self._canonical(dict(zip(self.trained, gradients, strict=True)))

    def _canonical(self, values: Mapping[Tensor, Tensor]) -> dict[str, np.ndarray]:
        """Per-parameter tensors (gradients, a slot) by canonical name and layout."""
        trainable = self.trainable()
        return {
            name: _numpy(place.to_canonical(*(values[tensor] for tensor in place.tensors)))
            for name, place in self.places.items()
            if name in trainable
        }

    def still(self, parameters: frozenset[str]) -> None:
        """See :meth:`parity.backend.Model.still`."""
        self.null = [tensor for name in parameters for tensor in self.places[name].tensors]

    def feed(self, examples: Split) -> None:
        """See :meth:`parity.backend.Model.feed`."""
        self.x = self._tensor(examples.x)
        self.y = torch.as_tensor(examples.y, device=self.device)
        self.lengths = None if examples.lengths is None else torch.as_tensor(examples.lengths)

    def train(self, chunk: Chunk) -> np.ndarray:
        """See :meth:`parity.backend.Model.train`."""
        order = torch.as_tensor(chunk.order)
        keep = {
            name: torch.as_tensor(mask, device=self.device) for name, mask in chunk.keep.items()
        }
        losses = torch.empty(chunk.steps, dtype=self.dtype, device=self.device)
        for step in range(chunk.steps):
            picked = order[step]
            lengths = None if self.lengths is None else self.lengths[picked]
            masks = {name: mask[step] for name, mask in keep.items()}
            loss = self._loss(self.x[picked], self.y[picked], lengths, masks)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            for tensor in self.null:
                tensor.grad.zero_()
            self.optimizer.step()
            losses[step] = loss.detach()
        return _numpy(losses)

    def slots(self) -> dict[str, np.ndarray]:
        """See :meth:`parity.backend.Model.slots`."""
        return {
            f"{slot}/{name}": value
            for slot, values in slots(self.optimizer, self.spec.optimizer).items()
            for name, value in self._canonical(dict(zip(self.trained, values, strict=True))).items()
        }

    def reset_optimizer(self) -> None:
        """See :meth:`parity.backend.Model.reset_optimizer`."""
        self.optimizer.state.clear()

    @torch.no_grad()
    def outputs(self, examples: Split) -> np.ndarray:
        """See :meth:`parity.backend.Model.outputs`."""
        parts = []
        for start in range(0, len(examples.x), OUTPUT_BATCH):
            piece = slice(start, start + OUTPUT_BATCH)
            lengths = None if examples.lengths is None else torch.as_tensor(examples.lengths[piece])
            x = self._tensor(examples.x[piece])
            parts.append(_numpy(self.model.eval()(x, lengths=lengths)))
        return np.concatenate(parts)


def _numpy(tensor: Tensor) -> np.ndarray:
    """A copy on the host; PyTorch would hand out a view that later steps overwrite."""
    return tensor.detach().cpu().numpy().copy()
