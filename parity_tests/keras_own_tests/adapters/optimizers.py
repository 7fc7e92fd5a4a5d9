"""Keras's optimizers, computed by ``torch_impl.optim``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from parity.reference.optimizers.table import TORCH_NAMES
from parity_tests.keras_own_tests.adapters import schedules
from parity_tests.keras_own_tests.adapters.arguments import (
    Computed,
    missing,
    options_of,
    to_keras,
    to_torch,
)
from torch_impl import optim
from torch_impl.optim.muon import orthogonal

__all__ = ["schedules"]

PAIRS = {
    "betas": ("beta_1", "beta_2"),
    "eps": ("epsilon_1", "epsilon_2"),
}
"""Argument of ``torch_impl.optim`` to the two of Keras's that it joins."""
DEFAULTS = {"beta_1": 0.9, "beta_2": 0.999, "epsilon_1": 1e-30, "epsilon_2": 1e-3}
RENAMED = {**TORCH_NAMES, "adam_beta_1": "beta_1", "adam_beta_2": "beta_2"}


class Adapter:
    """A Keras optimizer: a ``torch_impl.optim`` optimizer of copies of the variables."""

    def __init__(self, kind: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        given = options_of("optimizers", kind, args, kwargs)
        given.update(given.pop("kwargs", {}))
        self.kind = kind
        self.learning_rate = given.get("learning_rate")
        if callable(self.learning_rate):
            given["learning_rate"] = float(self._rate(0))
        self.options = _options(kind, given)
        self.clips = {name: given.get(name) for name in ("clipnorm", "clipvalue")}
        self.clips["global_clipnorm"] = given.get("global_clipnorm")
        self.accumulation = given.get("gradient_accumulation_steps") or 1
        self.excluded: dict[str, Any] = {}
        self.variables_of: list[Any] = []
        self.calls = 0
        self._make([("none", torch.zeros(1))])  # refuses wrong arguments at once, as Keras does

    def _make(self, named: list[tuple[str, Tensor]]) -> optim.KerasOptimizer:
        found: optim.KerasOptimizer = getattr(optim, self.kind)(
            named, **self.options, flavour="keras3"
        )
        return found

    def _rate(self, step: int) -> Any:
        rate: Any = self.learning_rate
        try:
            return rate(step)
        except TypeError:  # a function without arguments
            return rate()

    @property
    def clipnorm(self) -> Any:
        return self.clips["clipnorm"]

    @property
    def clipvalue(self) -> Any:
        return self.clips["clipvalue"]

    @property
    def global_clipnorm(self) -> Any:
        return self.clips["global_clipnorm"]

    @property
    def gradient_accumulation_steps(self) -> int:
        return self.accumulation

    @property
    def _iterations(self) -> int:
        return int(self.torch.param_groups[0]["calls"]) if self.variables_of else 0

    @property
    def iterations(self) -> int:
        return self._iterations // self.accumulation

    @property
    def variables(self) -> list[Any]:
        """The number of steps, the rate, and the state of every variable."""
        rate = self._make([("none", torch.zeros(1))]).param_groups[0]["lr"]
        state = [self.torch.state[param] for param in self.params] if self.variables_of else []
        return [self._iterations, rate, *(to_keras(one) for own in state for one in own.values())]

    def build(self, variables: Iterable[Any]) -> None:
        """Make the PyTorch optimizer of copies of the variables."""
        self.variables_of = list(variables)
        self.params = [to_torch(one.numpy()).requires_grad_() for one in self.variables_of]
        paths = [one.path for one in self.variables_of]
        self.torch = self._make(list(zip(paths, self.params, strict=True)))
        if self.excluded:
            chosen = [self.variables_of.index(one) for one in self.excluded["var_list"] or ()]
            self.torch.exclude_from_weight_decay(
                [self.params[index] for index in chosen], self.excluded["var_names"] or ()
            )

    def exclude_from_weight_decay(self, var_list: Any = None, var_names: Any = None) -> None:
        """See Keras."""
        self.excluded = {"var_list": var_list, "var_names": var_names}

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Any]]) -> None:
        """One step of the PyTorch optimizer, copied to the variables."""
        pairs = list(grads_and_vars)
        if not self.variables_of:
            self.build([variable for _, variable in pairs])
        gradients = {id(variable): gradient for gradient, variable in pairs}
        with torch.no_grad():
            for param, variable in zip(self.params, self.variables_of, strict=True):
                gradient = gradients.get(id(variable))
                param.copy_(to_torch(variable.numpy()))
                param.grad = None if gradient is None else to_torch(gradient, param.dtype)
        if callable(self.learning_rate):
            for group in self.torch.param_groups:
                group["lr"] = float(self._rate(self.iterations))
        self.torch.step()
        self._assign()

    def _assign(self) -> None:
        for param, variable in zip(self.params, self.variables_of, strict=True):
            variable.assign(to_keras(param))
            if variable.constraint is not None:
                variable.assign(variable.constraint(variable))

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """A step without clipping and weight decay."""
        for group in self.torch.param_groups:
            group.update(lr=learning_rate, weight_decay=0.0)
            if "adam_weight_decay" in group:
                group["adam_weight_decay"] = 0.0
        self.apply_gradients([(gradient, variable)])

    def finalize_variable_values(self, variables: Any) -> None:
        """Set the variables to their averages."""
        self.torch.finalize()
        self._assign()

    def _slots(self, slot: str) -> list[Any]:
        return [to_keras(one) for one in self.torch.of(self.params, slot)]

    @property
    def _model_variables_moving_average(self) -> list[Any]:
        return self._slots("average")

    @property
    def _accumulated_gradients(self) -> list[Any]:
        return self._slots("accumulated_gradient")

    def _clip_gradients(self, gradients: list[Any]) -> list[Any]:
        """The gradients as the PyTorch optimizer clips them."""
        params = [torch.zeros_like(to_torch(one)) for one in gradients]
        clipped = [[to_torch(one) for one in gradients]]
        self._make([(str(i), one) for i, one in enumerate(params)])._clip([params], clipped)
        return [to_keras(one) for one in clipped[0]]

    def _apply_weight_decay(self, variables: list[Any]) -> None:
        """Weight decay alone."""
        self.build(variables)
        group = self.torch.param_groups[0]
        with torch.no_grad():
            self.torch.decay(group, self.params)
        self._assign()

    def _should_use_adamw(self, variable: Any) -> bool:
        param = to_torch(variable.numpy())
        muon: Any = self._make([(variable.path, param)])
        Computed.results += 1
        return bool(muon.uses_adam(muon.param_groups[0], param))

    def zeropower_via_newtonschulz5(self, x: Any, steps: int) -> Any:
        """Muon's iteration."""
        return to_keras(orthogonal(to_torch(x), steps))


def _options(kind: str, given: dict[str, Any]) -> dict[str, Any]:
    """Keras's arguments by the names of ``torch_impl.optim``, without what is None."""
    given = {
        name: value for name, value in given.items() if value is not None or name == "rms_rate"
    }
    given.pop("name", None)
    given.pop("relative_step", None)  # has no effect in Keras
    if not given.pop("use_ema", False):
        given.pop("ema_momentum", None)
    elif "ema_momentum" not in given:
        given["ema_momentum"] = 0.99
    if given.get("momentum") == 0 and kind != "SGD":
        given.pop("momentum")
    given = {RENAMED.get(name, name): value for name, value in given.items()}
    for joined, names in PAIRS.items():
        if given.keys() & set(names):
            given[joined] = tuple(given.pop(name, DEFAULTS[name]) for name in names)
    return given


def __getattr__(name: str) -> Any:
    if not hasattr(optim, name) or name in vars(schedules):
        return missing("optimizers", name)
    return _maker(name)


def _maker(kind: str) -> Callable[..., Adapter]:
    return lambda *args, **kwargs: Adapter(kind, args, kwargs)


def get(identifier: Any) -> Any:
    """The optimizer by Keras's name and configuration."""
    from keras import optimizers

    if not isinstance(identifier, dict):
        return missing("optimizers", "get")(identifier)
    kind = type(optimizers.get(identifier["class_name"])).__name__
    return Adapter(kind, (), identifier["config"])
