"""Why a layer differs: each differing setting of its two configurations is tried on a reference.

The NumPy reference of :mod:`parity.reference.layers` must first give Keras's output from Keras's
configuration, and PyTorch's from PyTorch's. Then a setting is a cause if PyTorch's configuration,
with Keras's value of that setting, gives Keras's output. Nothing else is named.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.adapters.calls import Call
from parity.constants import as_float32
from parity.numerics import tolerance
from parity.numerics.distance import relative_error
from parity.pairs.align import config_diff
from parity.pairs.align.config_diff import Setting
from parity.pairs.align.tensors import as_keras
from parity.pairs.causes import ids, weight_layouts
from parity.pairs.causes.search import smallest_explanation
from parity.reference import catalogue
from parity.reference.layers.activations import ELU, ROUNDED, Activation, ReLU, Softmax
from parity.reference.layers.evaluate import computed
from parity.reference.layers.kinds import as_kind_of
from parity.reference.layers.recurrent.bidirectional import Bidirectional
from parity.verdict.result import UNKNOWN, Cause, Proof


def causes_of(
    k: Call,
    t: Call,
    fed: tuple[np.ndarray, ...],
    forced: np.ndarray,
    flavour: str,
    flattened: tuple[int, ...] | None = None,
) -> list[Cause]:
    """Why a PyTorch layer differs from Keras's for the same input.

    Args:
        k: the Keras call.
        t: the PyTorch call.
        fed: the inputs of Keras's layer, now also of PyTorch's.
        forced: PyTorch's output for them.
        flavour: the Keras.
        flattened: shape (H, W, C) of the map that was flattened into the layer's input, if any.

    Returns:
        The causes, each necessary and all together sufficient; one unknown if there is none;
        none if no difference remains once constants are rounded as Keras rounds them.
    """
    before = relative_error(k.output, forced)
    unknown = [Cause(UNKNOWN, k.name, k.layer, t.layer, Proof(before, before))]
    if k.config is None or t.config is None:
        return unknown
    t = _as_kind_of(t, k)
    replay, forced = _worst(_Replay(k, t, fed, k.output, k.options, t.options, flavour), forced)
    fed = replay.fed
    if not replay.explains(forced):
        return unknown
    own = getattr(k.config, "activation", None)
    formula = own in ids.FORMULAS or (own and before > tolerance.SAME_CONSTANT)
    if not formula and replay.only_rounding():
        return []
    weights = config_diff.weights(k.weights, t.weights)
    same = type(k.config) is type(t.config)
    differing = config_diff.fields(k, t, fed) if same else [Setting("kind", k.config, t.config)]
    if not differing:  # otherwise another setting explains the shape
        weights += config_diff.shapes(k.weights, t.weights)
    differing += [*weights, *config_diff.options(replay.own, replay.other)]
    if not differing and hasattr(k.config, "activation") and replay.error(()) <= k.allowed:
        if k.config.activation in ROUNDED:
            return []
        other = Setting("formula", flavour, "PyTorch")
        return [_cause(k, t, other, before, replay.error(()), flattened)]
    found = smallest_explanation(differing, replay.error, k.allowed)
    if found is None:
        return unknown
    chosen, after = found
    return [_cause(k, t, one, before, after, flattened) for one in chosen]


PYTORCH = "torch"
"""The flavour of PyTorch's own formulas, which differ for some activations."""


@dataclass(frozen=True)
class _Replay:
    """References of both layers for one input, and the effect of a change to PyTorch's."""

    k: Call
    t: Call
    fed: tuple[np.ndarray, ...]
    wanted: np.ndarray
    own: config_diff.Options
    other: config_diff.Options
    flavour: str

    def explains(self, forced: np.ndarray) -> bool:
        """Whether the references give the outputs of the frameworks."""
        own = (self._error(config, self.k.weights, self.own) for config in roundings(self.k.config))
        other = reference(self.t.config, self.t.weights, self.fed, PYTORCH, self.other)
        if other is None or min(own) > self.k.allowed:
            return False
        return relative_error(forced, as_keras(other, self.wanted, self.k)) <= self.k.allowed

    def only_rounding(self) -> bool:
        """Whether PyTorch's constants, rounded as Keras rounds them, give Keras's output."""
        _, *rounded = [*roundings(self.t.config), _with_constants(self.t.config, self.k.config)]
        errors = (self._error(config, self.t.weights, self.other) for config in rounded)
        return any(one <= self.k.allowed for one in errors)

    def error(self, changed: Iterable[Setting]) -> float:
        """Relative error of PyTorch's layer with Keras's values of these settings.

        A field also brings Keras's weights of another shape, which belong to it.
        """
        config, given = self.t.config, {"weight": {**self.t.weights}, "option": {**self.other}}
        weights = given["weight"]
        for one in changed:
            if one.role in given and one.keras is None:
                del given[one.role][one.name]
            elif one.role in given:
                given[one.role][one.name] = one.keras
            if one.role in given:
                continue
            config = (
                one.keras
                if one.name == "kind"
                else dataclasses.replace(config, **{one.name: one.keras})
            )
            weights |= {
                shape.name: shape.keras for shape in config_diff.shapes(self.k.weights, weights)
            }
            if one.name == "track_running_stats":  # what PyTorch then lacks
                weights |= {name: v for name, v in self.k.weights.items() if name not in weights}
            if one.name == "kind":
                weights = given["weight"] = {**self.k.weights, **weights}
        return min(self._error(one, weights, given["option"]) for one in roundings(config))

    def _error(
        self, config: Any, weights: Mapping[str, np.ndarray], options: config_diff.Options
    ) -> float:
        own = type(config) is type(self.k.config)
        found = reference(config, weights, self.fed, self.flavour if own else PYTORCH, options)
        if found is None:
            return float("inf")
        return relative_error(self.wanted, as_keras(found, self.wanted, self.k))


def _as_kind_of(t: Call, k: Call) -> Call:
    """PyTorch's call with its configuration as one of the kind of Keras's, if there is such."""
    if not k.inputs:
        return t
    return dataclasses.replace(t, config=as_kind_of(t.config, k.config, k.inputs[0].shape))


def _worst(replay: _Replay, forced: np.ndarray) -> tuple[_Replay, np.ndarray]:
    """Only the example that differs most, because references are slow; all if shapes differ.

    All as well where PyTorch's output of one example depends on the others.
    """
    batch_norm = getattr(replay.t.config, "keras", "") == "BatchNormalization"
    if batch_norm and not replay.t.config.track_running_stats:
        return replay, forced
    wanted, count = replay.wanted, len(replay.wanted)
    if wanted.shape != forced.shape or any(len(one) != count for one in replay.fed) or count < 2:
        return replay, forced
    with np.errstate(invalid="ignore"):  # equal infinities
        gap = np.where(wanted == forced, 0.0, np.abs(wanted - forced))
    differences = np.nan_to_num(gap, nan=np.inf).reshape(count, -1).max(1)
    worst = slice(int(differences.argmax()), int(differences.argmax()) + 1)

    def of(options: config_diff.Options) -> config_diff.Options:
        return {
            key: one[worst] if isinstance(one, np.ndarray) else one for key, one in options.items()
        }

    fed = tuple(one[worst] for one in replay.fed)
    own, other = of(replay.own), of(replay.other)
    found = dataclasses.replace(replay, fed=fed, wanted=wanted[worst], own=own, other=other)
    return found, forced[worst]


def latent(k: Call, t: Call, named: Iterable[str], flavour: str) -> list[Cause]:
    """Differing settings that have no effect on this input."""
    t = _as_kind_of(t, k)
    found, differing = [], _functions(k, t, flavour)
    same_shapes = [one.shape for one in k.inputs] == [one.shape for one in t.inputs]
    if type(k.config) is type(t.config) and k.config is not None:
        differing += config_diff.fields(k, t, k.inputs)
    if k.layer == t.layer == "BatchNormalization":
        differing += config_diff.options(k.options, t.options)
    for one in differing:
        if one.name == "padding" and not same_shapes:
            continue  # part of it is applied before the layer
        cause = _cause(k, t, one, 0.0, 0.0, None)
        if cause.id not in named:
            entry = catalogue.difference(cause.id)
            rung = entry.rung if entry else RUNGS.get(one.name, "forward_eval")
            found.append(dataclasses.replace(cause, proof=None, rung=rung))
    return found


def _functions(k: Call, t: Call, flavour: str) -> list[Setting]:
    """Activations that differ as functions, although they share a name or differ far from zero."""
    if not all(isinstance(one.config, (Activation, ReLU, ELU)) for one in (k, t)):
        return []
    x = np.linspace(-30.0, 30.0, 121)
    own = reference(k.config, {}, (x,), flavour, {})
    other = reference(t.config, {}, (x,), PYTORCH, {})
    if own is None or other is None or relative_error(own, other) <= tolerance.SAME_CONSTANT:
        return []
    if type(k.config) is not type(t.config):
        return [Setting("kind", k.config, t.config)]
    return [Setting("formula", flavour, "PyTorch")] * (k.config == t.config)


RUNGS = {"momentum": "step", "rate": "forward_train", "stddev": "forward_train"}
"""Setting without a catalogue entry of its own to the rung at which it shows."""


def reference(
    config: Any,
    weights: Mapping[str, np.ndarray],
    fed: tuple[np.ndarray, ...],
    flavour: str,
    options: config_diff.Options,
) -> np.ndarray | None:
    """Output of the layer's reference; None if it does not take these weights or inputs."""
    last = bool(options.get(config_diff.LAST_STEP))
    try:
        found = computed(_of_all_steps(config) if last else config, weights, fed, options, flavour)
    except (KeyError, ValueError, IndexError, TypeError):
        return None
    return found[:, -1] if last else found


def _of_all_steps(config: Any) -> Any:
    """A recurrent layer's configuration, returning sequences."""
    if isinstance(config, Bidirectional):
        return dataclasses.replace(config, layer=_of_all_steps(config.layer))
    return dataclasses.replace(config, return_sequences=True)


def roundings(config: Any) -> list[Any]:
    """The configuration and, if that differs, the one with its floats rounded to float32."""
    floats = {
        field.name: as_float32(value)
        for field in dataclasses.fields(config)
        if isinstance(value := getattr(config, field.name), float)
    }
    rounded = dataclasses.replace(config, **floats)
    return [config] if rounded == config else [config, rounded]


def _with_constants(config: Any, other: Any) -> Any:
    """The configuration with the other's floats where both are equal once rounded to float32."""
    if type(config) is not type(other):
        return config
    values = {field.name: getattr(other, field.name) for field in dataclasses.fields(config)}
    same = {
        name: value
        for name, value in values.items()
        if isinstance(value, float) and config_diff.alike(value, getattr(config, name))
    }
    return dataclasses.replace(config, **same)


def _cause(
    k: Call,
    t: Call,
    one: Setting,
    before: float,
    after: float,
    flattened: tuple[int, ...] | None,
) -> Cause:
    own, other, name, rung = one.keras, one.torch, ids.id_of(k, one), "forward_eval"
    if one.role == "weight":
        rung = "parameters"
        undone = (
            weight_layouts.undone(k, one.name, own, t.weights, flattened)
            if own is not None
            else None
        )
        name = undone[0] if undone else name
        own, other = ("none" if value is None else "its own" for value in (own, other))
    elif one.name == "kind":
        own, other = _kind_text(own), _kind_text(other)
    elif one.role == "option":
        own, other = _option_text(own), _option_text(other)
    return Cause(name, k.name, own, other, Proof(before, after), rung)


def _option_text(option: Any) -> str:
    if isinstance(option, np.ndarray) and option.dtype != bool:
        return f"adds up to {np.abs(option).max():.3g}"
    if isinstance(option, np.ndarray):
        return f"masks {np.count_nonzero(~option)} of {option.size}"
    return "none" if option is None else str(option)


def _kind_text(config: Any) -> str:
    axis = f", axis {config.axis}" if isinstance(config, Softmax) else ""
    alone = type(config).__name__ == "Activation"
    return str(config.activation if alone else config.keras) + axis
