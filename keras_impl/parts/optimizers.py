"""Optimizers by name, every value explicit, and their slots by canonical name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from keras_impl.framework import FLAVOUR, keras, tf
from keras_impl.parts.schedules import schedule_for
from parity.reference.optimizers.spec import AVERAGE, OptimizerSpec
from parity.reference.optimizers.table import OPTIMIZERS
from parity.reference.schedules.spec import CONSTANT, ScheduleSpec

_ATTRIBUTES = {
    ("momentum", "velocity"): ("momentums",),
    ("nesterov", "velocity"): ("momentums",),
    ("lion", "m"): ("_momentums", "momentums"),
    ("adamax", "m"): ("_m",),
    ("adamax", "u"): ("_u",),
    ("rmsprop", "velocity"): ("_velocities",),
    ("rmsprop", "momentum"): ("_momentums",),
    "m": ("_momentums",),
    "v": ("_velocities",),
    "v_hat": ("_velocity_hats",),
    "accumulator": ("_accumulators",),
    "accumulated_grad": ("_accumulated_grads",),
    "accumulated_delta_var": ("_accumulated_delta_vars",),
    "average_gradient": ("_average_gradients",),
    "linear": ("_linears",),
    AVERAGE: ("_model_variables_moving_average",),
}
"""Slot, or (optimizer, slot), to its attribute names in Keras; the first that exists is used."""


class Nadam(keras.optimizers.Nadam):
    """Nadam as Keras 2 computes it in eager mode, and Keras 3 always.

    Compiled Keras 2 counts the momentum products while tracing, so that it multiplies once per
    weight tensor and the result depends on their number.
    """

    @property
    def _u_product_counter(self) -> Any:
        return self.iterations + 2  # never out of date: the product is computed in apply_gradients

    @_u_product_counter.setter
    def _u_product_counter(self, value: int) -> None:
        """Ignore Keras's own count."""

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Any]], **kwargs: Any) -> Any:
        """Update the product once, then update every weight."""
        dtype = self._u_product.dtype
        share = 1.0 - 0.5 * tf.pow(tf.cast(0.96, dtype), tf.cast(self.iterations + 1, dtype))
        self._u_product.assign(self._u_product * tf.cast(self.beta_1, dtype) * share)
        return super().apply_gradients(grads_and_vars, **kwargs)


def optimizer_for(spec: OptimizerSpec, schedule: ScheduleSpec = CONSTANT) -> Any:
    """Keras's optimizer with the spec's values and the schedule as its learning rate."""
    row, values = OPTIMIZERS[spec.name], spec.constants()
    options: dict[str, Any] = {name: values.get(name, getattr(spec, name)) for name in row.options}
    common: dict[str, Any] = {  # Keras uses None where a spec uses 0
        name: values[name] or None
        for name in ("weight_decay", "clipnorm", "global_clipnorm", "clipvalue")
    }
    if spec.ema_momentum:
        common["use_ema"], common["ema_momentum"] = True, values["ema_momentum"]
        common["ema_overwrite_frequency"] = spec.ema_overwrite_frequency or None
    if spec.gradient_accumulation_steps > 1:
        common["gradient_accumulation_steps"] = spec.gradient_accumulation_steps
    compiled_wrongly = spec.name == "nadam" and FLAVOUR == "tf_keras"
    make = Nadam if compiled_wrongly else getattr(keras.optimizers, row.kind)
    rate = schedule_for(schedule, values["learning_rate"])
    return make(learning_rate=rate, **options, **row.settings, **common)


def slots(optimizer: Any, spec: OptimizerSpec) -> dict[str, list[Any]]:
    """Slot variables by canonical slot name, each list in the order of the trained variables."""
    found = {}
    for slot in spec.slots:
        names = _ATTRIBUTES.get((spec.name, slot)) or _ATTRIBUTES[slot]
        name = next(name for name in names if hasattr(optimizer, name))
        found[slot] = list(getattr(optimizer, name))
    return found


def initial_state(optimizer: Any) -> list[tuple[Any, Any]]:
    """Every variable of a built optimizer with its current value."""
    product = getattr(optimizer, "_u_product", None)  # Nadam does not list it
    variables = [*optimizer.variables, *([] if product is None else [product])]
    return [(variable, variable.numpy()) for variable in variables]
