"""Faults of penalties on weights and activities, and of constraints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

import torch_impl.ladder.training
import torch_impl.parts.regularisation
from parity.specs.base import ModelSpec
from parity_tests.meta.planting import Case, Plant, replaced, twin, wrapped
from torch_impl.nn import L1L2, MaxNorm, NonNeg, Penalties

Named = Callable[..., dict[str, Tensor]]
Constrained = Callable[..., None]


def summed_over_the_batch(original: object, self: Penalties, *seen: Any) -> None:
    _, penalty, _, _, outputs = seen
    self._seen.append(penalty(outputs))


def averaged_over_everything(original: object, self: Penalties, *seen: Any) -> None:
    _, penalty, _, _, outputs = seen
    self._seen.append(penalty(outputs) / outputs.numel())


def of_what_it_takes(original: Callable[..., None], self: Penalties, *seen: Any) -> None:
    name, penalty, module, inputs, _ = seen
    original(self, name, penalty, module, inputs, inputs[0])


def exchanged(original: Callable[..., Tensor], self: L1L2, x: Tensor) -> Tensor:
    exchanged = L1L2(self.l2, self.l1, flavour=self.flavour)
    return original(exchanged, x)


def without(*ends: str) -> Callable[..., dict[str, Tensor]]:
    def left(original: Named, *asked: object) -> dict[str, Tensor]:
        found = original(*asked)
        return {name: value for name, value in found.items() if not name.endswith(ends)}

    return left


def recurrent_too(original: Named, kind: str, model: nn.Module, places: Any) -> dict[str, Tensor]:
    """Treat recurrent kernels as kernels, which look alike in PyTorch."""
    found = original(kind, model, places)
    return found | (original("recurrent_kernel", model, places) if kind == "kernel" else {})


def along(axis: int | tuple[int, ...]) -> Plant:
    def init(original: Callable[..., None], self: MaxNorm, most: float, _axis: object) -> None:
        original(self, most, axis)

    return wrapped(MaxNorm, "__init__", init)


def renormed(original: object, self: MaxNorm, weight: Tensor, layout: object = None) -> Tensor:
    """PyTorch's function, which does not change weights within the norm."""
    return weight.renorm(2, 0, self.max_value)


def of_both_signs(original: object, self: NonNeg, weight: Tensor, layout: object = None) -> Tensor:
    return weight.abs()


class Early:
    """An optimizer that runs a constraint's hook at another point of the step."""

    def __init__(self, owner: Any, place: str) -> None:
        self.owner, self.place = owner, place

    def register_step_post_hook(self, hook: Callable[..., None]) -> Any:
        moved = getattr(self.owner, self.place)

        def first(*args: Any) -> None:
            hook()
            moved(*args)

        setattr(self.owner, self.place, first)


def before(place: str) -> Plant:
    """Apply the constraint before a part of the optimizer's step."""

    def early(original: Constrained, spec: ModelSpec, optimizer: Any, *model: object) -> None:
        original(spec, Early(optimizer, place), *model)

    return wrapped(torch_impl.ladder.training, "constrained", early)


def penalised(*families: str) -> tuple[Case, ...]:
    return tuple(Case(family, "penalties", "loss") for family in families)


def kept(*cases: tuple[str, str]) -> tuple[Case, ...]:
    return tuple(Case(*case, "optimizer", step=1) for case in cases)


MOST = (("softmax", "max_norm"), ("cnn", "max_norm"))
POSITIVE = (("softmax", "non_negative"), ("rnn", "non_negative"))

FAULTS = [
    *twin("penalty.activity_not_averaged", "loss",
          wrapped(Penalties, "_see", summed_over_the_batch), penalised("softmax", "cnn")),
    *twin("penalty.activity_averaged_over_units", "loss",
          wrapped(Penalties, "_see", averaged_over_everything), penalised("cnn")),
    *twin("penalty.activity_of_the_inputs", "loss",
          wrapped(Penalties, "_see", of_what_it_takes), penalised("cnn")),
    *twin("penalty.l1_for_l2", "loss", wrapped(L1L2, "__call__", exchanged),
          penalised("softmax", "rnn")),
    *twin("penalty.biases_left_out", "loss",
          wrapped(torch_impl.parts.regularisation, "_named", without("bias")),
          penalised("softmax", "cnn")),
    *twin("penalty.second_bias_left_out", "loss",
          wrapped(torch_impl.parts.regularisation, "_named", without("bias_hh_l0")),
          penalised("rnn")),
    *twin("penalty.of_recurrent_kernels_too", "loss",
          wrapped(torch_impl.parts.regularisation, "_named", recurrent_too), penalised("rnn")),
    *twin("constraint.left_out", "step",
          replaced(torch_impl.ladder.training, "constrained", lambda *_: None),
          kept(*MOST, *POSITIVE)),
    *twin("constraint.axis", "step", along(1), kept(MOST[0])),
    *twin("constraint.axis_of_a_convolution", "step", along(0), kept(MOST[1])),
    *twin("constraint.renorm", "step", wrapped(MaxNorm, "__call__", renormed), kept(MOST[0])),
    *twin("constraint.absolute_values", "step", wrapped(NonNeg, "__call__", of_both_signs),
          kept(POSITIVE[0])),
    *twin("constraint.of_recurrent_kernels_too", "step",
          wrapped(torch_impl.parts.regularisation, "_named", recurrent_too), kept(POSITIVE[1])),
    *twin("constraint.before_the_step", "step", before("update"), kept(MOST[1], POSITIVE[1])),
    *twin("constraint.before_the_average", "step", before("_average"),
          tuple(replace(case, recipe="average") for case in kept(MOST[0], POSITIVE[1]))),
]  # fmt: skip
