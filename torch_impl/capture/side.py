"""A PyTorch model of a user's, as one side of a pair. Twin: ``keras_impl/capture/side.py``."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from parity.errors import ParityError
from parity.pairs.calls import Arrays, Run
from torch_impl.capture import calls
from torch_impl.capture.layout import Layout, of_input
from torch_impl.capture.rounded import Rounded
from torch_impl.network import to_numpy
from torch_impl.weights import Place


class TorchSide:
    """Fulfils :class:`parity.pairs.side.Side`."""

    framework = "PyTorch"
    flavour = ""

    def __init__(self, model: nn.Module | Callable[[], nn.Module], dtype: str) -> None:
        """Copy the model, or build it, in ``dtype``.

        Raises:
            ParityError: it is none, or its builder fails.
        """
        self.dtype: torch.dtype = getattr(torch, dtype)
        self.model = _module_of(model).to(self.dtype)
        self.made: list[calls.Made] = []
        self.places: dict[str, dict[str, Place]] = {}

    def run(
        self,
        inputs: Sequence[np.ndarray],
        own: Sequence[np.ndarray] | None = None,
        given: Mapping[int, np.ndarray] | None = None,
        training: bool = False,
    ) -> Run:
        """See :meth:`parity.pairs.side.Side.run`."""
        self.model.train(training)
        tensors = [self._tensor(value) for value in (inputs if own is None else own)]
        layouts = [Layout.plain(tuple(one.shape)) for one in tensors]
        if own is None:
            layouts = [of_input(one) for one in tensors]
            tensors = [
                layout.from_canonical(one) for one, layout in zip(tensors, layouts, strict=True)
            ]
        watch = calls.Watch(self.model, given or {})
        watch.feed(tensors, layouts)
        kept = copy.deepcopy(self.model.state_dict()) if training else {}
        with torch.no_grad(), _default(self.dtype), watch.modules(), Rounded(), watch:
            try:
                out = self.model(*tensors)
            except Exception as error:
                shapes = ", ".join(str(tuple(one.shape)) for one in tensors)
                raise ParityError(
                    f"torch_model: cannot be called with inputs of shape {shapes}: "
                    f"{type(error).__name__}: {_line(error)}"
                ) from error
        if kept:
            self.model.load_state_dict(kept)
        self.made = watch.made
        for call, made in zip(watch.calls, watch.made, strict=True):
            self.places[call.name] = made.weights
        try:
            return watch.run_of(out)
        except TypeError as error:
            raise ParityError(f"torch_model: its output: {error}") from error

    def set_weights(self, layer: str, values: Mapping[str, np.ndarray]) -> None:
        """See :meth:`parity.pairs.side.Side.set_weights`."""
        places = self.places[layer]
        with torch.no_grad():
            for name, value in values.items():
                place = places[name]
                for tensor, part in zip(
                    place.tensors, place.from_canonical(self._tensor(value)), strict=True
                ):
                    tensor.copy_(part)

    def replay(self, number: int, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """See :meth:`parity.pairs.side.Side.replay`."""
        with _default(self.dtype), Rounded():
            return calls.again(self.made[number], inputs)

    def all_parameters(self) -> Arrays:
        """See :meth:`parity.pairs.side.Side.all_parameters`."""
        return {name: to_numpy(one) for name, one in self.model.named_parameters()}

    def _tensor(self, value: np.ndarray) -> Tensor:
        tensor = torch.tensor(np.ascontiguousarray(value))  # a copy: a model may write into it
        return tensor.to(self.dtype) if tensor.is_floating_point() else tensor.long()


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
        except Exception as error:
            raise ParityError(
                f"torch_model: its builder raised {type(error).__name__}: {_line(error)}"
            ) from error
        if not isinstance(model, nn.Module):
            raise ParityError(
                f"torch_model: its builder returned {type(model).__name__}, accepted: a "
                "torch.nn.Module"
            )
    for wrapper in ("_orig_mod", "module"):
        inner = model._modules.get(wrapper)
        if inner is not None and type(model).__module__.startswith("torch."):
            model = inner
    return model if built else copy.deepcopy(model)


@contextlib.contextmanager
def _default(dtype: torch.dtype) -> Iterator[None]:
    """Tensors that the model makes on its way are of the same dtype."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0][:300]
