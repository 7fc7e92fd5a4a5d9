"""A user's PyTorch model being trained. Twin: ``keras_impl/capture/trainer.py``."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from parity.adapters.calls import Weights, squeezed
from parity.adapters.heads import without_head
from parity.adapters.plain import PlainTraining
from parity.adapters.side import CannotRun
from parity.adapters.trainer import UNOWNED, Batch, Gradients, Key, TrainingRun
from parity.adapters.transfer import Transfer
from parity.numerics import tolerance
from parity.reference.formula import Settings
from parity.reference.keras_config import rounded
from parity.reference.optimizers.spec import OptimizerSpec
from torch_impl.capture import optimizers, plain
from torch_impl.capture.dtypes import default_dtype
from torch_impl.capture.errors import describe_error
from torch_impl.capture.gradients_through_detach import through_detach
from torch_impl.capture.losses import Loss, penalties_of
from torch_impl.capture.read import weights
from torch_impl.capture.read.layout import Layout
from torch_impl.capture.scripted import set_mode
from torch_impl.capture.shared_draws import SharedDraws, unshared
from torch_impl.capture.trace.nesting import with_tensors
from torch_impl.capture.trace.watch import named_outputs
from torch_impl.capture.watched import Watched
from torch_impl.ladder.network import to_numpy
from torch_impl.ladder.weights import Place, same
from torch_impl.optim import KerasOptimizer, schedules
from torch_impl.parts.optimizers import optimizer_for


class TorchTrainer:
    """Fulfils :class:`parity.adapters.trainer.Trainer`."""

    def __init__(
        self,
        side: Watched,
        loss: Any,
        optimizer: Any,
        seed: int,
        flavour: str,
        schedule: Settings | None,
    ) -> None:
        """Take over the side's model.

        Args:
            side: whose model is trained; it must have run.
            loss: a callable of (outputs, targets), or settings of a Keras loss.
            optimizer: a function of the parameters, a spec of Keras's, or None: no steps.
            seed: of all draws.
            flavour: the Keras whose loss and optimizer are meant.
            schedule: of Keras's, which the optimizer follows.
        """
        self.side = side
        self.seed = seed
        self.flavour = flavour
        self.loss = Loss(loss, side.dtype, flavour)
        self.make = optimizer
        self.first = weights.untrained(side.model)
        self.kept = False  # whether trained parameters are in it as well
        self.unowned: dict[Key, Tensor] = {}
        self.transfers: Sequence[Transfer] = ()
        self.unshared = unshared(side.model)
        self.optimizer: Optimizer | None = None
        self.schedule = schedule
        self.scheduler: Any = None
        self.out: Any = None  # what the model returned last

    def start(self) -> None:
        """See :meth:`parity.adapters.trainer.Trainer.start`."""
        self.side.model.load_state_dict(self.first, strict=False)
        self.side.state.restore()
        self.optimizer = None

    def keep(self) -> None:
        """See :meth:`parity.adapters.trainer.Trainer.keep`."""
        if not self.kept:
            state = self.side.model.state_dict().items()
            self.first |= copy.deepcopy({name: v for name, v in state if name not in self.first})
            self.kept = True

    def count_in(self, names: Sequence[str]) -> None:
        """See :meth:`parity.adapters.trainer.Trainer.count_in`."""
        held = self.side.unowned_tensors()
        self.unowned = {(name, UNOWNED): held[name] for name in names}

    def write(self, key: Key, value: np.ndarray) -> None:
        """See :meth:`parity.adapters.trainer.Trainer.write`."""
        if any(key == one.part for one in self.transfers):
            place = self._places()[key]
            with torch.no_grad():
                parts = place.from_canonical(self.side.tensor(value))
                for tensor, part in zip(place.tensors, parts, strict=True):
                    tensor.copy_(part)
            return
        if key in self.unowned:
            self.side.set_unowned_parameters({key[0]: value})
        else:
            self.side.set_weights(key[0], {key[1]: value})

    def regroup(self, transfers: Sequence[Transfer]) -> None:
        """See :meth:`parity.adapters.trainer.TorchTrainer.regroup`."""
        self.transfers = transfers

    def run(
        self, batch: Batch, step: int, substitutes: Mapping[int, np.ndarray] | None = None
    ) -> TrainingRun:
        """See :meth:`parity.adapters.trainer.Trainer.run`."""
        copies = self.side.copies
        with SharedDraws(batch.torch_options, None, self.seed, step, self._watched) as draws:
            found = self.side.run(batch.inputs, batch.torch_inputs, substitutes, training=True)
        if self.side.copies != copies:  # it ran twice, and drew twice
            return self.run(batch, step, substitutes)
        normals = {place: numbers.size for place, numbers in draws.noise.items()}
        calls, layouts = tuple(draws.calls), tuple(draws.layouts)
        return TrainingRun(found, calls, layouts, normals, draws.masks, draws.noise)

    def _watched(self, tensor: Tensor, spatial: bool) -> tuple[int, Layout]:
        watch = self.side.watch
        return len(watch.calls), watch.layout_of(tensor, spatial)

    def gradients(
        self, batch: Batch, step: int, only: Collection[Key] | None = None
    ) -> tuple[float, Gradients]:
        """See :meth:`parity.adapters.trainer.Trainer.gradients`."""
        model = self.side.model
        set_mode(model, True)
        model.zero_grad(set_to_none=True)
        places = {key: one for key, one in self._places().items() if only is None or key in only}
        wanted = [one for place in places.values() for one in place.tensors if one.requires_grad]
        tensors, _ = self.side.tensors(batch.inputs, batch.torch_inputs)
        options = batch.torch_options
        draws = SharedDraws(options, options.layouts or (), self.seed, step, self._watched)
        with default_dtype(self.side.dtype), self.side.computing():
            with draws, through_detach() if options.through_detach else contextlib.nullcontext():
                given_as = batch.inputs if batch.torch_inputs is None else batch.torch_inputs
                out = self.side.called_with(given_as, tensors)
            outputs = [one for _, one in named_outputs(out)]
            self.out = with_tensors(out, (one.detach() for one in outputs))
            loss = self.total_loss(outputs, batch)
            leaves = [one for one in wanted if one.is_leaf]
            if loss.requires_grad and leaves:  # or else nothing has a gradient
                try:
                    loss.backward(inputs=None if only is None else leaves)
                except RuntimeError as error:
                    raise CannotRun(
                        f"torch_model: its gradients cannot be computed: {describe_error(error)}"
                    ) from error
        for one in model.buffers() if options.through_detach else ():
            one.detach_()
        found = {}
        for key, place in places.items():
            grads = [one.grad for one in place.tensors if one.is_leaf and one.grad is not None]
            if len(grads) < len(place.tensors) and not (grads and _summed(place)):
                continue
            value = grads[0] if _summed(place) else place.to_canonical(*grads)
            found[key] = value.detach().cpu().numpy()  # its own memory, which is let go below
        model.zero_grad(set_to_none=True)
        return float(loss.detach()), found

    def loss_of(self, outputs: Sequence[np.ndarray], batch: Batch) -> float:
        """See :meth:`parity.adapters.trainer.TorchTrainer.loss_of`."""
        tensors = [one for _, one in named_outputs(self.out)]
        layouts = self._layouts(batch)
        for place, value in zip(self._kept(), outputs, strict=True):
            name, layout = self.side.output_names[place], layouts[place]
            if name in self.side.heads:
                value = without_head(value, self.side.heads[name])
            shape = layout.to_canonical(torch.empty(layout.shape, device="meta")).shape
            same = squeezed(shape) == squeezed(value.shape)
            value = value.reshape(shape) if same else value
            tensors[place] = layout.from_canonical(self.side.tensor(value)).contiguous()
        with torch.no_grad(), default_dtype(self.side.dtype), self.side.computing():
            return float(self._loss(tensors, batch))

    def class_weights(self) -> np.ndarray | None:
        """See :meth:`parity.adapters.trainer.TorchTrainer.class_weights`."""
        found = self.loss.class_weights
        return None if found is None else to_numpy(found)

    @contextlib.contextmanager
    def from_here(self) -> Iterator[None]:
        """Meanwhile :meth:`start` restores the weights that the model has now."""
        before = self.first, self.kept
        self.first, self.kept = copy.deepcopy(dict(self.side.model.state_dict())), True
        try:
            yield
        finally:
            self.start()
            self.first, self.kept = before

    def plain(self, batch: Batch, steps: int) -> PlainTraining:
        """See :meth:`parity.adapters.trainer.Trainer.plain`."""
        with self.from_here():
            return plain.training(self, batch, steps)

    def total_loss(self, outputs: Sequence[Tensor], batch: Batch) -> Tensor:
        """The loss of the model's outputs, with penalties that its modules hold."""
        penalties = sum(penalties() for penalties in penalties_of(self.side.model))
        return self._loss(outputs, batch) + penalties

    def _loss(self, outputs: Sequence[Tensor], batch: Batch) -> Tensor:
        targets = [self.side.tensor(value) for value in batch.targets]
        shapes = batch.torch_options.keras_shapes
        out = None if self.out is None else with_tensors(self.out, iter(outputs))
        return self.loss.of(outputs, self._layouts(batch), targets, shapes, self._kept(), out)

    def _kept(self) -> list[int]:
        """Places of the outputs that Keras's model has as well."""
        names = self.side.output_names
        return [names.index(one) for one in self.side.kept_outputs or names]

    @property
    def loss_in_float32(self) -> bool:
        """See :class:`parity.adapters.trainer.Trainer`."""
        return self.loss.in_float32

    @property
    def loss_shape(self) -> tuple[int, ...]:
        """See :class:`parity.adapters.trainer.TorchTrainer`."""
        return self.loss.shape

    def _layouts(self, batch: Batch) -> list[Layout]:
        """The layout of each output in relation to Keras's."""
        found = list(self.side.outputs)
        for place, as_it_is in zip(self._kept(), batch.torch_options.native_layout, strict=False):
            if as_it_is:
                found[place] = Layout.plain(found[place].shape)
        return found

    def apply(self, gradients: Gradients) -> None:
        """See :meth:`parity.adapters.trainer.Trainer.apply`."""
        self.keep()
        self.side.model.zero_grad(set_to_none=True)
        for key, place in self._places().items():
            if key not in gradients:
                continue
            value = self.side.tensor(gradients[key])
            parts = (value,) * 2 if _summed(place) else place.from_canonical(value)
            packed = place.tensors[0].numel() > value.numel()
            if packed:  # several weights in one tensor: the others' places stay zero
                rest = place.from_canonical(torch.zeros_like(value))
                parts = tuple(a - b for a, b in zip(parts, rest, strict=True))
            for own, part in zip(place.tensors, parts, strict=True):
                if own.requires_grad:
                    part = part.clone(memory_format=torch.contiguous_format)
                    own.grad = own.grad + part if packed and own.grad is not None else part
        self.make_step()

    def make_step(self) -> None:
        """One step of the optimizer, and of its scheduler, with the gradients that weights have.

        Raises:
            CannotRun: the optimizer raises.
        """
        with default_dtype(self.side.dtype):  # in which some keep numbers of their own
            optimizer = self._built()
            try:
                optimizer.step()
            except Exception as error:
                raise CannotRun(
                    f"optimizer: PyTorch's cannot make a step: {describe_error(error)}"
                ) from error
            if self.scheduler is not None:
                self.scheduler.step()

    def weights(self) -> Mapping[Key, np.ndarray]:
        """See :meth:`parity.adapters.trainer.Trainer.weights`."""
        return Weights(self._places(), lambda place: to_numpy(place.to_canonical(*place.tensors)))

    def carried(self) -> list[str]:
        """See :meth:`parity.adapters.trainer.Trainer.carried`."""
        return self.side.state.changed()

    def settings_of(self, key: Key) -> Settings | None:
        """See :meth:`parity.adapters.trainer.Trainer.settings_of`."""
        optimizer = self._built()
        if isinstance(self.make, OptimizerSpec):
            values: dict[str, Any] = {**self.make.constants(), "centered": bool(self.make.centered)}
            values["flavour"] = self.flavour
            return Settings(f"keras.{self.make.name}", values)
        group = self._group_of(key)
        if group is None:
            return None
        values = {name: value for name, value in group.items() if name != "params"}
        own = isinstance(optimizer, KerasOptimizer)
        if own:
            values["global_clipnorm"] = optimizer.global_clipnorm
        kind = optimizers.known_class(type(optimizer))
        return Settings(f"{'port' if own else 'torch'}.{kind}", values)

    def rate_of(self, key: Key) -> float:
        """See :meth:`parity.adapters.trainer.TorchTrainer.rate_of`."""
        group = self._group_of(key)
        return float(group["lr"]) if group else 0.0

    def take_rate(self, rate: float) -> None:
        """See :meth:`parity.adapters.trainer.TorchTrainer.take_rate`."""
        for group in self._built().param_groups if self.scheduler is not None else ():
            if abs(group["lr"] - rate) <= tolerance.SAME_CONSTANT * rate:
                group["lr"] = rate

    def _group_of(self, key: Key) -> dict[str, Any] | None:
        tensors = self._places()[key].tensors
        for group in self._built().param_groups:
            if any(own is one for own in tensors for one in group["params"]):
                return group
        return None

    def frozen(self, key: Key) -> bool:
        """See :meth:`parity.adapters.trainer.Trainer.frozen`."""
        return not any(one.requires_grad for one in self._places()[key].tensors)

    def freeze(self, key: Key, frozen: bool) -> None:
        """See :meth:`parity.adapters.trainer.TorchTrainer.freeze`."""
        for tensor in self._places()[key].tensors:
            tensor.requires_grad_(not frozen)

    def second_biases(self) -> list[Key]:
        """See :meth:`parity.adapters.trainer.TorchTrainer.second_biases`."""
        return [
            key
            for key, place in self._places().items()
            if _summed(place) and all(one.requires_grad for one in place.tensors)
        ]

    def freeze_second_biases(self) -> None:
        """See :meth:`parity.adapters.trainer.TorchTrainer.freeze_second_biases`."""
        for key in self.second_biases():
            self._places()[key].tensors[1].requires_grad_(False)

    def take(self, layer: str, values: Mapping[str, float]) -> bool:
        """See :meth:`parity.adapters.trainer.TorchTrainer.take`."""
        module = self.side.modules[layer][0] if layer in self.side.modules else None
        named = {ATTRIBUTES[name]: value for name, value in values.items()}
        own = {name: value for name, value in named.items() if hasattr(module, name)}
        changed = any(getattr(module, name) != value for name, value in own.items())
        for name, value in own.items():
            setattr(module, name, value)
        return changed

    def _built(self) -> Optimizer:
        """The optimizer, its floats rounded as Keras rounds its own."""
        if self.optimizer is None:
            params = list(self.side.model.parameters())
            if isinstance(self.make, OptimizerSpec):
                joint = [place.tensors for place in self._places().values()]
                trained = [one for one in params if one.requires_grad]
                self.optimizer = optimizer_for(self.make, trained, joint, self.flavour)
            else:
                with default_dtype(self.side.dtype):
                    self.optimizer, self.scheduler = optimizers.users(self.make, params)
            for group in self.optimizer.param_groups:
                group |= {name: rounded(v) for name, v in group.items() if name != "params"}
            if self.schedule is not None:
                kind = getattr(schedules, self.schedule.kind)
                self.scheduler = kind(self.optimizer, **self.schedule.values)
        return self.optimizer

    def _places(self) -> dict[Key, Place]:
        known = {id(one) for one in self.unowned.values()}
        of_layers = {
            (layer, name): place
            for layer, (module, layouts) in self.side.modules.items()
            for name, place in weights.of_module(module, layouts).items()
            if not known & {id(one) for one in place.tensors}
        }
        found = of_layers | {key: same(one) for key, one in self.unowned.items()}
        held = {one.torch: found.pop(one.torch) for one in self.transfers if one.torch in found}
        return found | {
            one.part: weights.part_of(held[one.torch], one.form)
            for one in self.transfers
            if one.torch in held
        }


ATTRIBUTES = {"momentum": "momentum", "epsilon": "eps", "negative_slope": "negative_slope"}
"""Constants of a layer to PyTorch's names of them."""


def _summed(place: Place) -> bool:
    """Whether it is two tensors that only their sum counts of: each has the sum's gradient."""
    if len(place.tensors) != 2:
        return False
    with torch.no_grad():
        return tuple(place.to_canonical(*place.tensors).shape) == tuple(place.tensors[0].shape)
