"""A classifier with its loss, but without an optimizer: outputs, loss, gradients, by layer.

Twin: ``keras_impl/ladder/network.py``. Deliberate differences: none except the frameworks' idioms.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from parity.data.batches import OUTPUT_BATCH, Batch
from parity.data.datasets import Split
from parity.specs.run import Spec
from torch_impl.framework import dtype_of, torch_device
from torch_impl.ladder.trace import from_canonical, to_canonical, traced
from torch_impl.ladder.weights import by_canonical_name, canonical_name
from torch_impl.parts.losses import HeadLoss
from torch_impl.parts.regularisation import penalties


class Network:
    """The methods of :class:`parity.adapters.backend.Model` that need no optimizer."""

    def __init__(self, model: nn.Module, spec: Spec, dtype: str, device: str) -> None:
        self.device = torch_device(device)
        self.dtype = dtype_of(dtype)
        self.model = model.to(
            device=self.device, dtype=self.dtype, memory_format=torch.channels_last
        )
        self.spec = spec
        self.loss_fn = HeadLoss(spec.model, spec.training).to(self.device)
        unweighted = dataclasses.replace(spec.training, class_weights=())  # as in Keras's ``fit``
        self.validation_loss = HeadLoss(spec.model, unweighted).to(self.device)
        self.layer_names = tuple(layer.name for layer in spec.model.layers())
        self.places = by_canonical_name(model)
        self.tensors = {name: place.tensors for name, place in self.places.items()}
        self.trained = [p for p in model.parameters() if p.requires_grad]
        self.penalties = penalties(spec.model, model, self.tensors)

    def _tensor(self, x: np.ndarray) -> Tensor:
        return torch.as_tensor(x, device=self.device).to(self.dtype)

    def weights(self) -> dict[str, np.ndarray]:
        """See :meth:`parity.adapters.backend.Model.weights`."""
        return {
            name: to_numpy(place.to_canonical(*place.tensors))
            for name, place in self.places.items()
        }

    @torch.no_grad()
    def set_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        """See :meth:`parity.adapters.backend.Model.set_weights`."""
        for name, place in self.places.items():
            values = place.from_canonical(self._tensor(weights[name]))
            for tensor, value in zip(place.tensors, values, strict=True):
                tensor.copy_(value)

    def trainable(self) -> frozenset[str]:
        """See :meth:`parity.adapters.backend.Model.trainable`."""
        return frozenset(
            name
            for name, place in self.places.items()
            if all(tensor.requires_grad for tensor in place.tensors)
        )

    def counts(self) -> dict[str, int]:
        """See :meth:`parity.adapters.backend.Model.counts`.

        Omits what Keras does not have: frozen parameters, and batch norm's batch counter.
        """
        trained = sum(parameter.numel() for parameter in self.trained)
        buffers = sum(b.numel() for b in self.model.buffers() if b.is_floating_point())
        return {
            "total": trained + buffers,
            "trainable": trained,
            **{
                name: sum(p.numel() for p in module.parameters() if p.requires_grad)
                for name, (_, module) in self._modules().items()
            },
        }

    def _modules(self) -> dict[str, tuple[str, nn.Module]]:
        """The layers by canonical name, each with its path."""
        found = {canonical_name(path): (path, m) for path, m in self.model.named_modules()}
        return {name: found[name] for name in self.layer_names if name in found}

    @contextmanager
    def _probing(self) -> Iterator[None]:
        """Restore the buffers afterwards."""
        buffers = {name: buffer.clone() for name, buffer in self.model.named_buffers()}
        try:
            yield
        finally:
            for name, buffer in self.model.named_buffers():
                buffer.copy_(buffers[name])

    def _loss(
        self, x: Tensor, y: Tensor, lengths: Tensor | None, keep: dict[str, Tensor]
    ) -> Tensor:
        if not self.model.training:
            self.model.train()
        return self._objective(y, self.model(x, lengths=lengths, keep=keep))

    def _objective(self, y: Tensor, outputs: Tensor, loss_fn: HeadLoss | None = None) -> Tensor:
        loss: Tensor = (loss_fn or self.loss_fn)(y, outputs)
        return loss if self.penalties is None else loss + self.penalties()

    def _batch(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor | None, dict[str, Tensor]]:
        keep = {
            name: torch.as_tensor(mask, device=self.device) for name, mask in batch.keep.items()
        }
        lengths = None if batch.lengths is None else torch.as_tensor(batch.lengths)
        y = torch.as_tensor(batch.y, device=self.device)
        return self._tensor(batch.x), y, lengths, keep

    def layers(self) -> dict[str, str]:
        """See :meth:`parity.adapters.backend.Model.layers`."""
        return {
            name: f"{path} ({type(module).__name__})"
            for name, (path, module) in self._modules().items()
        }

    @torch.no_grad()
    def trace(self, batch: Batch, training: bool) -> dict[str, np.ndarray]:
        """See :meth:`parity.adapters.backend.Model.trace`."""
        x, _, lengths, keep = self._batch(batch)
        with self._probing(), traced(self.model, self.layer_names) as found:
            self.model.train(training)(x, lengths=lengths, keep=keep)
        return {
            "input": to_numpy(x),
            **{name: to_canonical(output) for name, output in found.outputs.items()},
            **{f"{name}/mask": to_canonical(mask) for name, mask in found.masks.items()},
        }

    @torch.no_grad()
    def loss(self, batch: Batch) -> float:
        """See :meth:`parity.adapters.backend.Model.loss`."""
        with self._probing():
            return float(self._loss(*self._batch(batch)))

    def gradients(self, batch: Batch, outputs: bool = False) -> dict[str, np.ndarray]:
        """See :meth:`parity.adapters.backend.Model.gradients`."""
        with self._probing(), traced(self.model, self.layer_names if outputs else ()) as found:
            x, *others = self._batch(batch)
            loss = self._loss(x.requires_grad_(outputs), *others)
            gradients = torch.autograd.grad(
                loss, [*self.trained, *found.outputs.values()], materialize_grads=True
            )
        return self._named_gradients(gradients, found.outputs)

    def _named_gradients(
        self, gradients: Sequence[Tensor], layers: Iterable[str]
    ) -> dict[str, np.ndarray]:
        """Gradients by name, first of :attr:`trained`, then of the outputs of ``layers``."""
        count = len(self.trained)
        of_outputs = zip(layers, gradients[count:], strict=True)
        return {
            **self.canonical(dict(zip(self.trained, gradients[:count], strict=True))),
            **{f"{name}/output": to_canonical(gradient) for name, gradient in of_outputs},
        }

    def _given(self, given: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
        """The given layer outputs as leaves that require gradients."""
        leaves = {name: from_canonical(self._tensor(given[name])) for name in self.layer_names}
        return {name: leaf.requires_grad_() for name, leaf in leaves.items()}

    @torch.no_grad()
    def replay(
        self, batch: Batch, training: bool, given: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """See :meth:`parity.adapters.backend.Model.replay`."""
        _, _, lengths, keep = self._batch(batch)
        x = self._tensor(given["input"])
        with self._probing(), traced(self.model, self.layer_names, self._given(given)) as found:
            self.model.train(training)(x, lengths=lengths, keep=keep)
        return {name: to_canonical(output) for name, output in found.outputs.items()}

    def replay_gradients(
        self, batch: Batch, given: Mapping[str, np.ndarray], outer: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """See :meth:`parity.adapters.backend.Model.replay_gradients`."""
        _, y, lengths, keep = self._batch(batch)
        x, leaves = self._tensor(given["input"]).requires_grad_(), self._given(given)
        with self._probing(), traced(self.model, self.layer_names, leaves) as found:
            loss = self._loss(x, y, lengths, keep)
            above = (self._tensor(outer[f"{name}/output"]) for name in found.outputs)
            gradients = torch.autograd.grad(
                [*found.outputs.values(), loss],
                [*self.trained, *(leaves[name] for name in self.layer_names)],
                [*map(from_canonical, above), torch.ones_like(loss)],
                materialize_grads=True,
            )
        return self._named_gradients(gradients, self.layer_names)

    def canonical(self, values: Mapping[Tensor, Tensor]) -> dict[str, np.ndarray]:
        """Tensors per parameter (gradients, a slot), by canonical name and in canonical layout."""
        trainable = self.trainable()
        return {
            name: to_numpy(place.to_canonical(*(values[tensor] for tensor in place.tensors)))
            for name, place in self.places.items()
            if name in trainable
        }

    @torch.no_grad()
    def outputs(self, examples: Split) -> np.ndarray:
        """See :meth:`parity.adapters.backend.Model.outputs`."""
        parts = [self._evaluate(*fed) for _, *fed in self._pieces(examples)]
        return np.concatenate([to_numpy(part) for part in parts])

    @torch.no_grad()
    def validate(self, examples: Split) -> tuple[float, np.ndarray]:
        """See :meth:`parity.adapters.backend.Model.validate`."""
        total, parts = 0.0, []
        for y, *fed in self._pieces(examples):
            outputs = self._evaluate(*fed)
            parts.append(to_numpy(outputs))
            total += float(self._objective(y, outputs, self.validation_loss)) * len(outputs)
        return total / len(examples.x), np.concatenate(parts)

    def _pieces(self, examples: Split) -> Iterator[list[Tensor]]:
        """Yield labels, inputs, and lengths if there are any, in batches."""
        for start in range(0, len(examples.x), OUTPUT_BATCH):
            piece = slice(start, start + OUTPUT_BATCH)
            y = torch.as_tensor(examples.y[piece], device=self.device)
            fed = [y, self._tensor(examples.x[piece])]
            if examples.lengths is not None:
                fed.append(torch.as_tensor(examples.lengths[piece]))
            yield fed

    def _evaluate(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        outputs: Tensor = self.model.eval()(x, lengths=lengths)
        return outputs


def to_numpy(tensor: Tensor) -> np.ndarray:
    """A copy on the host; without it PyTorch returns a view that later steps overwrite."""
    return tensor.detach().cpu().numpy().copy()
