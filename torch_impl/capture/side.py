"""A PyTorch model of a user's, as one side of a pair. Twin: ``keras_impl/capture/side.py``."""

from __future__ import annotations

import contextlib
import copy
import inspect
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from parity.adapters.calls import Arrays, Run
from parity.adapters.heads import Heads, with_heads
from parity.adapters.inputs import arguments, filled
from parity.adapters.side import CannotRun
from parity.errors import ParityError, format_shapes
from parity.reference.formula import Settings
from torch_impl.capture import files, module_state, plain, scripted
from torch_impl.capture.dtypes import default_dtype
from torch_impl.capture.errors import describe_error
from torch_impl.capture.float32_computations import Constants, InFloat64
from torch_impl.capture.read import modules, weights
from torch_impl.capture.read.layout import Layout, of_input
from torch_impl.capture.trace import watch as calls
from torch_impl.capture.trainer import TorchTrainer
from torch_impl.ladder.network import to_numpy
from torch_impl.private_api import unwrapped


class TorchSide:
    """Fulfils :class:`parity.adapters.side.Side`."""

    framework = "PyTorch"
    flavour = ""
    suffixes: tuple[str, ...] = files.SUFFIXES

    @staticmethod
    def seed(number: int) -> None:
        """See :meth:`parity.adapters.side.Side.seed`."""
        torch.manual_seed(number)

    @staticmethod
    def dtype_of(path: Path) -> str:
        """See :meth:`parity.adapters.side.Side.dtype_of`."""
        return files.dtype_of(path)

    @staticmethod
    def start() -> None:
        """See :meth:`parity.adapters.side.Side.start`: this file has imported PyTorch."""

    def __init__(
        self,
        model: nn.Module | Callable[[], nn.Module],
        dtype: str,
        heads: Heads | None = None,
    ) -> None:
        """Copy the model, or build it, in ``dtype``.

        Raises:
            ParityError: it is none, or its builder fails.
        """
        self.dtype: torch.dtype = getattr(torch, dtype)
        self.heads = heads or {}
        self.model = _module_of(model).to(self.dtype)
        module_state.in_dtype(self.model, self.dtype)
        modules.follow_float32(self.model)
        self.state = module_state.ModuleState(self.model)
        self.called = False  # whether it has run before
        self.promote_to_float64 = False
        self.builder = None if isinstance(model, nn.Module) else model
        self.constants: Constants | None = None
        self.channels_first = False  # whether sequences are given so
        self.unchanged = False  # whether images are given as Keras takes them
        self.in_keras: frozenset[int] = frozenset()  # inputs that are channels-first there
        self.native_flatten = False
        self.same_as_kind: dict[nn.Module, bool] = {}
        self.copies = False  # whether the model writes into tensors that it has handed on
        self.outputs: list[Layout] = []
        self.output_names: list[str] = []
        self.kept_outputs: tuple[str, ...] = ()
        self.modules: dict[str, tuple[nn.Module, tuple[Any, ...]]] = {}
        self.forget()

    def forget(self) -> None:
        """See :meth:`parity.adapters.side.Side.forget`."""
        self.watch = calls.Watch(self.model, {})
        self.made: list[calls.Invocation] = []

    def run(
        self,
        inputs: Sequence[np.ndarray],
        torch_inputs: Sequence[np.ndarray] | None = None,
        substitutes: Mapping[int, np.ndarray] | None = None,
        training: bool = False,
        promote_to_float64: bool = False,
    ) -> Run:
        """See :meth:`parity.adapters.side.Side.run`."""
        try:
            return self._run(inputs, torch_inputs, substitutes, training)
        except CannotRun:
            if torch_inputs is not None or self.modules:
                raise
            ranks = {np.ndim(one) for one in inputs}
            for sequences, unchanged in ((True, False), (False, True)):
                if (3 in ranks) >= sequences and (max(ranks) > 3) >= unchanged:
                    self.channels_first, self.unchanged = sequences, unchanged
                    with contextlib.suppress(CannotRun):
                        return self._run(inputs, torch_inputs, substitutes, training)
            self.channels_first = self.unchanged = False
            raise

    def _run(
        self,
        inputs: Sequence[np.ndarray],
        torch_inputs: Sequence[np.ndarray] | None,
        substitutes: Mapping[int, np.ndarray] | None,
        training: bool,
    ) -> Run:
        self.forget()
        self.in_float32: dict[str, str] = {}
        self.state.restore()
        tensors, layouts = self.tensors(inputs, torch_inputs)
        if isinstance(self.model, torch.jit.ScriptModule) and not self.called:
            self._take_graph(tensors)
        scripted.set_mode(self.model, training)
        given_as = inputs if torch_inputs is None else torch_inputs
        watch = self.watch = calls.Watch(
            self.model, substitutes or {}, self.copies, self.same_as_kind
        )
        watch.native_flatten = self.native_flatten
        watch.feed(tensors, layouts)
        kept = weights.untrained(self.model) if training else {}
        with torch.no_grad(), default_dtype(self.dtype), self.computing():
            try:
                if not self.called:  # what is cached outside the model is the same from now on
                    with torch.random.fork_rng(devices=[]):
                        self.called_with(given_as, tensors)
                    self.called = True
                    self.state.restore()
                with watch.modules(), watch:
                    out = self.called_with(given_as, tensors)
            except Exception as error:
                whole = not all(one.is_floating_point() for one in tensors)
                hint = "; whole numbers reach it as such" if whole else ""
                raise CannotRun(
                    f"torch_model: cannot be called with inputs of shape {format_shapes(tensors)}: "
                    f"{describe_error(error)}{hint}"
                ) from error
        if kept:
            self.model.load_state_dict(kept, strict=False)
        if watch.rewritten():
            self.copies = True
            del watch, out
            return self._run(inputs, torch_inputs, substitutes, training)
        self.made = watch.made
        for call, made in zip(watch.calls, watch.made, strict=True):
            module = made.target if made.like is None else made.like
            if isinstance(module, nn.Module):
                self.modules[call.name] = (module, made.layouts)
        try:
            self.outputs = [watch.output_layout(one) for _, one in calls.named_outputs(out)]
            constants = self.constants.rounded if self.promote_to_float64 and self.constants else {}
            rounded = {**dict.fromkeys(constants, "constant"), **self.in_float32}
            found = replace(watch.run_of(out), computed_in_float32=rounded)
            self.output_names = [*found.outputs]
            return with_heads(found.with_only(self.kept_outputs), self.heads, substitutes)
        except TypeError as error:
            raise ParityError(f"torch_model: its output: {error}") from error

    def _take_graph(self, tensors: Sequence[Tensor]) -> None:
        """Take the graph of a scripted or traced model, whose calls can be watched."""
        with default_dtype(self.dtype):
            graph = scripted.as_graph(self.model, tensors)
        if graph is not None:
            self.model = graph
            self.state = module_state.ModuleState(graph)
            self.builder = None

    def called_with(self, inputs: Sequence[np.ndarray], tensors: Sequence[Tensor]) -> Any:
        """What the model returns for tensors in the structure of these inputs."""
        structure = filled(inputs, tensors)
        if structure is None:
            return self.model(*tensors)
        forward = inspect.signature(self.model.forward).parameters.values()
        names = [one.name for one in forward if one.kind in (one.POSITIONAL_OR_KEYWORD,)]
        names += [one.name for one in forward if one.kind is one.KEYWORD_ONLY]
        any_name = any(one.kind is one.VAR_KEYWORD for one in forward)
        args, kwargs = arguments(structure, names, any_name)
        return self.model(*args, **kwargs)

    def tensors(
        self, inputs: Sequence[np.ndarray], torch_inputs: Sequence[np.ndarray] | None
    ) -> tuple[list[Tensor], list[Layout]]:
        """Inputs as the model takes them, and their layouts; for the arguments see ``run``."""
        fed = inputs if torch_inputs is None else torch_inputs
        tensors = [self.tensor(value) for value in fed]
        if torch_inputs is not None:
            return tensors, [Layout.plain(tuple(one.shape)) for one in tensors]
        if self.unchanged:
            return tensors, [Layout.plain(tuple(one.shape)) for one in tensors]
        layouts = [
            Layout.channels_first(tuple(one.shape))
            if place in self.in_keras
            else of_input(one, self.channels_first)
            for place, one in enumerate(tensors)
        ]
        return [
            one if place in self.in_keras else layout.from_canonical(one).contiguous()
            for place, (one, layout) in enumerate(zip(tensors, layouts, strict=True))
        ], layouts

    def follow_layout(self, run: Run) -> None:
        """See :meth:`parity.adapters.side.Side.follow_layout`."""
        self.in_keras, self.native_flatten = run.channels_first, run.native_flatten

    @contextlib.contextmanager
    def computing(self) -> Iterator[None]:
        """The model computes in float64 what its code computes in float32, where that is asked."""
        if not self.promote_to_float64:
            yield
            return
        self.constants = self.constants or Constants(self.model, self.builder)
        with self.constants.exact(), InFloat64(self._seen):
            yield

    def _seen(self, operation: str) -> None:
        """An operation in float32 of the module that is under way."""
        watch = self.watch
        names = [watch.names.get(one, "") for one in watch.path[-1:]]
        self.in_float32[next(filter(None, names), type(self.model).__name__)] = operation

    def plain(self, inputs: Sequence[np.ndarray], own: Sequence[np.ndarray] | None = None) -> Run:
        """See :meth:`parity.adapters.side.Side.plain`."""
        self.state.restore()
        tensors, _ = self.tensors(inputs, own)
        given_as = inputs if own is None else own
        found = plain.outputs(
            self.model, lambda: self.called_with(given_as, tensors), self.outputs, self.heads
        )
        return found.with_only(self.kept_outputs)

    def set_weights(self, layer: str, values: Mapping[str, np.ndarray]) -> None:
        """See :meth:`parity.adapters.side.Side.set_weights`."""
        module, layouts = self.modules[layer]
        places = weights.of_module(module, layouts)
        with torch.no_grad():
            for name, value in values.items():
                place = places[name]
                parts = place.from_canonical(_view(value))
                for tensor, part in zip(place.tensors, parts, strict=True):
                    tensor.copy_(part)
                if parametrize.is_parametrized(module, "weight") and "kernel" in name:
                    module.weight = place.tensors[0]  # by way of what it is made of

    def replay(self, number: int, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """See :meth:`parity.adapters.side.Side.replay`."""
        with default_dtype(self.dtype), self.computing():
            return calls.replay(self.made[number], inputs)

    def all_parameters(self) -> Arrays:
        """See :meth:`parity.adapters.side.Side.all_parameters`."""
        return {name: one.detach().cpu().numpy() for name, one in self.model.named_parameters()}

    def load(self, path: Path) -> None:
        """See :meth:`parity.adapters.side.Side.load`."""
        files.load(self.model, path)

    def save(self, path: Path) -> None:
        """See :meth:`parity.adapters.side.Side.save`."""
        files.save(self.model, path)

    def weights_without_layer(self) -> list[str]:
        """See :meth:`parity.adapters.side.Side.weights_without_layer`."""
        return [*self.unowned_tensors(self.modules)]

    def unowned_parameters(self, layers: Collection[str]) -> Arrays:
        """See :meth:`parity.adapters.side.Side.unowned_parameters`."""
        return {name: to_numpy(one) for name, one in self.unowned_tensors(layers).items()}

    def set_unowned_parameters(self, values: Mapping[str, np.ndarray]) -> None:
        """See :meth:`parity.adapters.side.Side.set_unowned_parameters`."""
        held = self.model.state_dict(keep_vars=True)
        with torch.no_grad():
            for name, value in values.items():
                held[name].copy_(self.tensor(value))

    def unowned_tensors(self, layers: Collection[str] = ()) -> dict[str, Tensor]:
        """Floating parameters and buffers that none of these layers holds."""
        seen = {
            id(tensor)
            for name in layers
            if name in self.modules
            for module, layouts in [self.modules[name]]
            for place in weights.of_module(module, layouts).values()
            for tensor in (*place.tensors, *_behind(module))
        }
        held = self.model.state_dict(keep_vars=True)
        return {
            name: one
            for name, one in held.items()
            if one.is_floating_point() and id(one) not in seen
        }

    def trainer(
        self,
        loss: Any,
        optimizer: Any,
        seed: int,
        flavour: str,
        *,
        shared_loss: bool = False,
        schedule: Settings | None = None,
    ) -> TorchTrainer:
        """See :meth:`parity.adapters.side.Side.trainer`."""
        return TorchTrainer(self, loss, optimizer, seed, flavour, schedule)

    def tensor(self, value: np.ndarray) -> Tensor:
        """On the model's device, floats in its dtype."""
        tensor = torch.tensor(np.asarray(value, order="C"))  # a copy: a model may write into it
        return tensor.to(self.dtype) if tensor.is_floating_point() else tensor.long()


def _view(value: np.ndarray) -> Tensor:
    """A tensor of the array's own memory, to read only."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that nothing keeps it from being written to
        return torch.as_tensor(np.asarray(value, order="C"))


def _behind(module: nn.Module) -> list[nn.Parameter]:
    """What a module's weight is made of, where it is made of others."""
    made = parametrize.is_parametrized(module, "weight")
    return [*module.parametrizations.parameters()] if made else []


def _module_of(model: Any) -> nn.Module:
    """A copy of the module, or what the function builds, out of ``torch.compile``'s wrapper."""
    built = not isinstance(model, nn.Module)
    if built:
        if not callable(model):
            raise ParityError(
                f"torch_model: received {type(model).__name__}, accepted: a torch.nn.Module, or a "
                "function that builds one"
            )
        try:
            model = model()
        except ParityError:
            raise
        except Exception as error:
            raise ParityError(f"torch_model: its builder raised {describe_error(error)}") from error
        if not isinstance(model, nn.Module):
            raise ParityError(
                f"torch_model: its builder returned {type(model).__name__}, accepted: a "
                "torch.nn.Module"
            )
    model = unwrapped(model)
    for name, one in (*model.named_parameters(), *model.named_buffers()):
        if nn.parameter.is_lazy(one):
            raise ParityError(
                f"torch_model: received {type(model).__name__} whose {name} has no shape yet, "
                "accepted: a module that has been called before"
            )
    try:
        return copy.deepcopy(model)  # also what a function returns, for the user may keep it
    except Exception as error:
        if built:
            return model
        raise ParityError(
            f"torch_model: received {type(model).__name__}, which cannot be copied "
            f"({describe_error(error)}), accepted: a function that builds it"
        ) from error
