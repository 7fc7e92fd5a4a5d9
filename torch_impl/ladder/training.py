"""A classifier with its optimizer: chunks of steps without a ``DataLoader``.

Twin: ``keras_impl/ladder/training.py``. Deliberate differences: here the loop over a
chunk's steps is Python, there it is a graph.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from parity.adapters.state import State
from parity.data.batches import Chunk
from parity.data.datasets import Split
from parity.specs.run import Spec
from torch_impl.framework import denormals_as_zero
from torch_impl.ladder.network import Network, to_numpy
from torch_impl.ladder.state import restore, state_of
from torch_impl.optim.schedules import KerasSchedule
from torch_impl.parts.callbacks import Callbacks, Watched
from torch_impl.parts.optimizers import optimizer_for, slots
from torch_impl.parts.regularisation import constrained
from torch_impl.parts.schedules import schedule_for


class TorchModel(Network):
    """Implements :class:`parity.adapters.backend.Model`."""

    def __init__(self, model: nn.Module, spec: Spec, dtype: str, device: str) -> None:
        super().__init__(model, spec, dtype, device)
        trainable = self.trainable()
        self.optimizer = optimizer_for(
            spec.optimizer,
            self.trained,
            [several for name, several in self.tensors.items() if name in trainable],
            spec.model.flavour,
        )
        self.schedule = self._schedule()
        self.callbacks = self._callbacks()
        self.initial_state = copy.deepcopy(self.optimizer.state_dict())
        constrained(spec.model, self.optimizer, model, self.tensors)
        self.null: list[Tensor] = []

    def ignore_gradients(self, parameters: frozenset[str]) -> None:
        """See :meth:`parity.adapters.backend.Model.ignore_gradients`."""
        self.null = [tensor for name in parameters for tensor in self.places[name].tensors]

    def feed(self, examples: Split) -> None:
        """See :meth:`parity.adapters.backend.Model.feed`."""
        self.mapped = examples if isinstance(examples.x, np.memmap) else None
        if self.mapped is None:
            self._hold(examples)

    def _hold(self, examples: Split) -> None:
        self.x = self._tensor(examples.x)
        self.y = torch.as_tensor(examples.y, device=self.device)
        self.lengths = None if examples.lengths is None else torch.as_tensor(examples.lengths)

    def _in_memory(self, chunk: Chunk) -> Chunk:
        """The chunk, after loading its examples if they are mapped from a file."""
        if self.mapped is None:
            return chunk
        examples, chunk = chunk.load_examples(self.mapped)
        self._hold(examples)
        return chunk

    @denormals_as_zero()
    def train(self, chunk: Chunk) -> np.ndarray:
        """See :meth:`parity.adapters.backend.Model.train`."""
        chunk = self._in_memory(chunk)
        losses = torch.empty(chunk.steps, dtype=self.dtype, device=self.device)
        order, keep = self._on_device(chunk)
        for step in range(chunk.steps):
            losses[step], _ = self._step(order[step], {name: m[step] for name, m in keep.items()})
        return to_numpy(losses)

    @denormals_as_zero()
    def train_watched(self, chunk: Chunk) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """See :meth:`parity.adapters.backend.Model.train_watched`."""
        chunk = self._in_memory(chunk)
        order, keep = self._on_device(chunk)
        loss, fed = self._step(order[0], {name: mask[0] for name, mask in keep.items()})
        return to_numpy(loss)[None], {name: to_numpy(value) for name, value in fed.items()}

    def _on_device(self, chunk: Chunk) -> tuple[Tensor, dict[str, Tensor]]:
        """Indices of the examples of all steps, and the masks."""
        keep = {
            name: torch.as_tensor(mask, device=self.device) for name, mask in chunk.keep.items()
        }
        return torch.as_tensor(chunk.order), keep

    def _step(self, picked: Tensor, keep: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """One optimizer step: its loss and its inputs."""
        fed = {"input": self.x[picked], "labels": self.y[picked]}
        if self.lengths is not None:
            fed["lengths"] = self.lengths[picked]
        loss = self._loss(fed["input"], fed["labels"], fed.get("lengths"), keep)
        for tensor in self.trained:
            tensor.grad = None  # faster than zero_grad, which has a profiling hook
        loss.backward()
        for tensor in self.null:
            tensor.grad.zero_()
        self.optimizer.step()
        if self.schedule:
            self.schedule.step()
        return loss.detach(), fed | {f"{name}/mask": mask for name, mask in keep.items()}

    def slots(self) -> dict[str, np.ndarray]:
        """See :meth:`parity.adapters.backend.Model.slots`."""
        return {
            f"{slot}/{name}": value
            for slot, values in slots(self.optimizer, self.spec.optimizer).items()
            for name, value in self.canonical(dict(zip(self.trained, values, strict=True))).items()
        }

    def _schedule(self) -> KerasSchedule | None:
        rate = self.spec.optimizer.constants()["learning_rate"]
        return schedule_for(self.spec.schedule, rate, self.optimizer)

    def _callbacks(self) -> Callbacks:
        watched = Watched(self.optimizer, self.weights, self.set_weights)
        return Callbacks(self.spec.callbacks, watched, self.spec.model.flavour)

    def learning_rate(self) -> float:
        """See :meth:`parity.adapters.backend.Model.learning_rate`."""
        return float(self.optimizer.param_groups[0]["lr"])

    def epoch_end(self, epoch: int, logs: Mapping[str, float]) -> bool:
        """See :meth:`parity.adapters.backend.Model.epoch_end`."""
        return self.callbacks.epoch_end(epoch, logs)

    def finish(self) -> None:
        """See :meth:`parity.adapters.backend.Model.finish`."""
        self.optimizer.finalize()
        self.callbacks.end()

    def reset_optimizer(self) -> None:
        """See :meth:`parity.adapters.backend.Model.reset_optimizer`."""
        self.optimizer.load_state_dict(self.initial_state)
        self.schedule = self._schedule()
        self.callbacks = self._callbacks()

    def state(self) -> State:
        """See :meth:`parity.adapters.backend.Model.state`."""
        return state_of(self)

    def restore(self, state: State) -> None:
        """See :meth:`parity.adapters.backend.Model.restore`."""
        restore(self, state)
