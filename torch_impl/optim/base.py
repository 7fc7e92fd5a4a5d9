"""Base class of Keras's optimizers: clipping, weight decay, averages, gradient accumulation."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from parity.constants import FLAVOURS, as_float32

Group = dict[str, Any]


class KerasOptimizer(Optimizer):
    """A Keras optimizer with PyTorch's interface; subclasses define the update rule.

    A step clips the gradients, applies the weight decay w ← w − w·λ·α, applies the update rule, and
    updates the moving average of the weights e ← κ·e + (1 − κ)w.

    ``torch.optim`` differs: except in AdamW, weight decay is added to the gradient, and
    ``clip_grad_norm_`` adds 1e-6 to the norm. ``param_groups[…]["calls"]`` counts the calls of
    :meth:`step`: Keras counts steps per optimizer, not per weight.
    Source: ``tf_keras/src/optimizers/optimizer.py``, ``keras/src/optimizers/base_optimizer.py``.

    Args:
        params: tensors or groups of them, as for any optimizer. ``lr``, ``weight_decay``,
            ``clipnorm``, ``clipvalue`` and the options of the update rule can be set per group.
        lr: learning rate α, used without rounding; Keras's schedules return float32 numbers.
        weight_decay: λ, for all tensors including biases; 0 for none. Rounded to float32, as in
            Keras.
        clipnorm: largest norm of each tensor's gradient; 0 for no limit.
        clipvalue: largest absolute entry of a gradient; 0 for no limit.
        global_clipnorm: largest norm of all gradients of all groups together; 0 for no limit. If
            several are set, Keras uses the first of clipnorm, global_clipnorm and clipvalue; here
            it is an error.
        ema_momentum: κ; None for no average.
        ema_overwrite_frequency: number of steps after which the weights are set to the average; 0
            for never.
        gradient_accumulation_steps: number of calls of :meth:`step` that make one step with the
            mean of their gradients. As in Keras 3, averages are updated in every call. Keras 2 does
            not have this option.
        joint: tensors that form one tensor in Keras (a GRU's two biases), for ``clipnorm``.
        flavour: ``tf_keras`` (Keras 2) or ``keras3``.

    Raises:
        ValueError: a value is out of range, or two values exclude each other.
    """

    slots: tuple[str, ...] = ()
    """Names of the tensors in each weight's ``state``, which have its shape and dtype."""

    def __init__(
        self,
        params: Iterable[Any],
        lr: float,
        *,
        weight_decay: float = 0.0,
        clipnorm: float = 0.0,
        clipvalue: float = 0.0,
        global_clipnorm: float = 0.0,
        ema_momentum: float | None = None,
        ema_overwrite_frequency: int = 0,
        gradient_accumulation_steps: int = 1,
        joint: Sequence[tuple[Tensor, ...]] = (),
        flavour: str = "tf_keras",
        **options: Any,
    ) -> None:
        clips = {"clipnorm": clipnorm, "clipvalue": clipvalue, "global_clipnorm": global_clipnorm}
        for name, value in {"lr": lr, "weight_decay": weight_decay, **clips}.items():
            if not value >= 0:
                raise ValueError(f"{name}: received {value}, accepted: 0 or more")
        if sum(map(bool, clips.values())) > 1:
            raise ValueError(f"clipping: received {clips}, accepted: at most one of the three")
        if ema_momentum is not None and not 0 <= ema_momentum <= 1:
            raise ValueError(f"ema_momentum: received {ema_momentum}, accepted: 0 to 1, or None")
        if ema_overwrite_frequency and ema_momentum is None:
            raise ValueError(
                f"ema_overwrite_frequency: received {ema_overwrite_frequency} without "
                "ema_momentum, accepted: 0, or with it"
            )
        if flavour not in FLAVOURS:
            raise ValueError(f"flavour: received {flavour!r}, accepted: {', '.join(FLAVOURS)}")
        if gradient_accumulation_steps < 1:
            raise ValueError(
                "gradient_accumulation_steps: received "
                f"{gradient_accumulation_steps}, accepted: 1 or more"
            )
        if gradient_accumulation_steps > 1 and flavour == "tf_keras":
            raise ValueError(
                "gradient_accumulation_steps: received "
                f"{gradient_accumulation_steps} with flavour 'tf_keras', accepted: 1, or with "
                "'keras3' (Keras 2 has none)"
            )
        self.flavour = flavour
        self.global_clipnorm = global_clipnorm
        self.ema_momentum = ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.accumulation_steps = gradient_accumulation_steps
        self.undecayed: set[Tensor] = set()
        self.undecayed_names: re.Pattern[str] | None = None
        self.joint = {part: parts for parts in joint for part in parts}
        common = {"lr": lr, "weight_decay": weight_decay, "calls": 0}
        common |= {"clipnorm": clipnorm, "clipvalue": clipvalue}
        super().__init__(params, {**common, **options})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every weight that has a gradient; the gradients are not changed.

        Args:
            closure: evaluates the model again and returns the loss; called with gradients enabled.

        Returns:
            The closure's loss, or None.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        found = [_with_gradients(group["params"]) for group in self.param_groups]
        gradients = [list(gradients) for _, gradients in found]
        weights = [params for params, _ in found]
        for group, params in zip(self.param_groups, weights, strict=True):
            self._start(group, params)
        calls = self.param_groups[0]["calls"]
        step = calls // self.accumulation_steps + 1
        if self.accumulation_steps == 1 or self._accumulated(weights, gradients, calls):
            self._clip(weights, gradients)
            for group, params, own in zip(self.param_groups, weights, gradients, strict=True):
                self.decay(group, self._decayed(group, params))
                if params:
                    self.update(group, params, own, step)
        if self.ema_momentum is not None:
            self._average(weights, step)
        for group in self.param_groups:
            group["calls"] = calls + 1
        return loss

    @abstractmethod
    def update(
        self, group: Group, params: list[Tensor], gradients: list[Tensor], step: int
    ) -> None:
        """Apply the update rule to the weights.

        Args:
            group: one of ``param_groups``, with its options.
            params: the weights, changed in place.
            gradients: the clipped gradients, one per weight; they must not be changed.
            step: number of this step, from 1.
        """

    def decay(self, group: Group, params: list[Tensor], option: str = "weight_decay") -> None:
        """Apply weight decay to the weights.

        Args:
            group: one of ``param_groups``, with its options.
            params: the weights, changed in place.
            option: name of the option that holds λ.
        """
        if params and group[option]:
            lost = torch._foreach_mul(params, as_float32(group[option]))
            torch._foreach_add_(params, lost, alpha=-group["lr"])

    def exclude_from_weight_decay(
        self, params: Iterable[Tensor] = (), names: Sequence[str] = ()
    ) -> None:
        """Apply no weight decay to some weights; this replaces an earlier choice.

        A parameter group with ``weight_decay=0`` does the same.

        Args:
            params: the weights.
            names: regular expressions; weights whose name contains one are excluded. It needs the
                names: pass ``model.named_parameters()`` to the optimizer.

        Raises:
            ValueError: there were steps already, or the optimizer has no names.
        """
        if calls := self.param_groups[0]["calls"]:
            raise ValueError(
                f"exclude_from_weight_decay: received after {calls} steps, accepted: before them"
            )
        if names and any("param_names" not in group for group in self.param_groups):
            raise ValueError(
                f"names: received {list(names)}, accepted: with params=model.named_parameters()"
            )
        self.undecayed = set(params)
        self.undecayed_names = re.compile("|".join(names)) if names else None

    def _decayed(self, group: Group, params: list[Tensor]) -> list[Tensor]:
        """The weights that weight decay applies to."""
        pattern = self.undecayed_names
        found = [param for param in params if param not in self.undecayed]
        if pattern is None:
            return found
        return [param for param in found if not pattern.search(self.name_of(group, param))]

    def name_of(self, group: Group, param: Tensor) -> str:
        """The weight's name, if the optimizer was given ``model.named_parameters()``."""
        names = zip(group["params"], group.get("param_names", ()), strict=False)
        return next((name for one, name in names if one is param), "")

    def first(self, group: Group, slot: str, param: Tensor) -> Tensor:
        """The initial value of a slot: zeros, unless a subclass overrides it."""
        return torch.zeros_like(param)

    def of(self, params: Sequence[Tensor], slot: str) -> list[Tensor]:
        """The tensors of a slot for these weights."""
        return [self.state[param][slot] for param in params]

    @torch.no_grad()
    def finalize(self) -> None:
        """Set the weights to their moving averages, as Keras's ``fit`` does when it ends."""
        if self.ema_momentum is not None:
            for group in self.param_groups:
                for param in group["params"]:
                    if "average" in self.state[param]:
                        param.copy_(self.state[param]["average"])

    @torch.no_grad()
    def start(self) -> None:
        """Create the slots of all weights now instead of at their first step."""
        for group in self.param_groups:
            self._start(group, group["params"])

    def _start(self, group: Group, params: Sequence[Tensor]) -> None:
        for param in params:
            state = self.state[param]
            for slot in self.slots_of(group):
                if slot not in state:
                    state[slot] = self.first(group, slot, param)
            if self.ema_momentum is not None and "average" not in state:
                keeps = self.flavour == "tf_keras"
                state["average"] = param.detach().clone() if keeps else torch.zeros_like(param)
            if self.accumulation_steps > 1 and "accumulated_gradient" not in state:
                state["accumulated_gradient"] = torch.zeros_like(param)

    def slots_of(self, group: Group) -> tuple[str, ...]:
        """Names of the slots that a group's options require."""
        return self.slots

    def _accumulated(
        self, weights: list[list[Tensor]], gradients: list[list[Tensor]], calls: int
    ) -> bool:
        """Add up gradients; return whether a step is due, with ``gradients`` set to their mean."""
        due = (calls + 1) % self.accumulation_steps == 0
        for params, own in zip(weights, gradients, strict=True):
            if not params:
                continue
            sums = self.of(params, "accumulated_gradient")
            torch._foreach_add_(sums, own)
            if due:
                own[:] = torch._foreach_div(sums, float(self.accumulation_steps))
                torch._foreach_zero_(sums)
        return due

    def _clip(self, weights: list[list[Tensor]], gradients: list[list[Tensor]]) -> None:
        """Replace the gradients in the lists by clipped ones."""
        every = [gradient for own in gradients for gradient in own] if self.global_clipnorm else []
        if every:
            factor = self.global_clipnorm / norm(every).clamp_min(self.global_clipnorm)
            for own in gradients:
                own[:] = torch._foreach_mul(own, factor)
        for group, params, own in zip(self.param_groups, weights, gradients, strict=True):
            if group["clipvalue"]:
                own[:] = [g.clamp(-group["clipvalue"], group["clipvalue"]) for g in own]
            if largest := group["clipnorm"]:
                by_param = dict(zip(params, own, strict=True))
                own[:] = [
                    g * largest / norm(self.parts(param, by_param)).clamp_min(largest)
                    for param, g in by_param.items()
                ]

    def parts(self, param: Tensor, gradients: dict[Tensor, Tensor]) -> list[Tensor]:
        """The gradients of all tensors that form one tensor with this weight in Keras."""
        return [gradients[part] for part in self.joint.get(param, (param,)) if part in gradients]

    def _average(self, weights: list[list[Tensor]], step: int) -> None:
        assert self.ema_momentum is not None
        kept = 0.0 if self.flavour == "keras3" and step == 1 else self.ema_momentum
        every = self.ema_overwrite_frequency
        for params in weights:
            if not params:
                continue
            averages = self.of(params, "average")
            torch._foreach_mul_(averages, kept)
            torch._foreach_add_(averages, params, alpha=1 - kept)
            if every and step % every == 0:
                torch._foreach_copy_(params, averages)


def norm(tensors: Sequence[Tensor]) -> Tensor:
    """√Σx² over all entries of all tensors."""
    return torch.stack([tensor.square().sum() for tensor in tensors]).sum().sqrt()


def _with_gradients(params: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    found = [param for param in params if param.grad is not None]
    return found, [param.grad for param in found if param.grad is not None]
