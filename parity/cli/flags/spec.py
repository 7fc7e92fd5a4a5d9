"""Command-line flags for the fields of specs, with help text, accepted values and default."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from parity.options import Accepts
from parity.reference.optimizers import table
from parity.reference.optimizers.spec import OptimizerSpec
from parity.reference.schedules.spec import NEEDED, ScheduleSpec, taking
from parity.reference.schedules.spec import default as schedule_default
from parity.specs import callbacks
from parity.specs.callbacks import CallbacksSpec
from parity.specs.registry import MODELS
from parity.specs.training import TrainingSpec


def add_model(parser: Any) -> None:
    """Add the flags of all models' own fields, as a group."""
    group = parser.add_argument_group("model")
    for name, (entry, families) in model_fields().items():
        if name != "flavour":
            prefix = f"{', '.join(families)}: " if len(families) < len(MODELS) else ""
            _add_field(group, entry, prefix, default=_defaults(name, families))


def add_training(parser: Any, *, epochs: bool) -> None:
    """Add the flags of training, in groups; ``epochs``: whether to train epochs by default."""
    group = parser.add_argument_group("training")
    for entry in dataclasses.fields(OptimizerSpec):
        prefix, default = _of_optimizers(entry)
        flag = "optimizer" if entry.name == "name" else entry.name
        _add_field(group, entry, prefix, flag, default)
    for entry in dataclasses.fields(TrainingSpec):
        alone = entry.name == "epochs" and not epochs
        _add_field(group, entry, "", default="none, only the ladder" if alone else None)
    group = parser.add_argument_group("learning-rate schedule")
    for entry in dataclasses.fields(ScheduleSpec):
        if entry.name == "name":
            _add_field(group, entry, "", "lr_schedule")
        else:
            prefix = ", ".join(taking(entry.name)) + ": "
            _add_field(group, entry, prefix, default=_of_schedules(entry.name))
    group = parser.add_argument_group("callbacks")
    for entry in dataclasses.fields(CallbacksSpec):
        callback = callbacks.callback_of(entry.name)
        default = _in_words(callbacks.defaults()[entry.name]) if callback else None
        prefix = f"with {flag_of(callback)}: " if callback else ""
        _add_field(group, entry, prefix, default=default)


def model_fields() -> dict[str, tuple[dataclasses.Field[Any], list[str]]]:
    """Return each model field with a flag, and the families that have it, by name."""
    found: dict[str, tuple[dataclasses.Field[Any], list[str]]] = {}
    for family, cls in MODELS.items():
        for entry in dataclasses.fields(cls):
            if entry.metadata["flag"]:
                found.setdefault(entry.name, (entry, []))[1].append(family)
    return found


def flag_of(name: str) -> str:
    """Return the flag of a field: ``kernel_size`` → ``--kernel-size``."""
    return "--" + name.replace("_", "-")


def _of_optimizers(entry: dataclasses.Field[Any]) -> tuple[str, str | None]:
    """Return which optimizers have an option, and its defaults in words; empty if all have it."""
    defaults, takers = table.defaults(entry.name), table.taking(entry.name)
    prefix = f"{', '.join(takers)}: " if takers else ""
    return prefix, _by_taker(defaults) if defaults else None


def _of_schedules(name: str) -> str:
    """Return the default of a schedule's option in words."""
    if name == "decay_steps":
        return "all steps of the training; with cosine_restarts those of an epoch"
    default = schedule_default(name)
    return "none; required" if default is NEEDED else _in_words(default)


def _by_taker(defaults: dict[Any, list[str]]) -> str:
    """Return defaults in words: each with the names that have it, the most common one last."""
    if len(defaults) == 1:
        return _in_words(next(iter(defaults)))
    usual = max(defaults, key=lambda value: len(defaults[value]))
    parts = [f"{', '.join(names)} {value:g}" for value, names in defaults.items() if value != usual]
    return f"{'; '.join(parts)}; else {usual:g}"


def add_fields(parser: Any, cls: type, left_out: Sequence[str] = ()) -> None:
    """Add a flag for each field of a spec, except those in ``left_out``."""
    for entry in dataclasses.fields(cls):
        if entry.metadata["flag"] and entry.name not in left_out:
            _add_field(parser, entry, "")


def _defaults(name: str, families: Sequence[str]) -> str:
    """Return a model option's default in words, with the models' names if they differ."""
    takers: dict[str, list[str]] = {}
    for family in families:
        (entry,) = (entry for entry in dataclasses.fields(MODELS[family]) if entry.name == name)
        takers.setdefault(_in_words(entry.default), []).append(family)
    if len(takers) == 1:
        return next(iter(takers))
    return "; ".join(f"{', '.join(names)} {default}" for default, names in takers.items())


def _in_words(default: Any) -> str:
    if isinstance(default, tuple):
        return " ".join(map(str, default)) or "none"
    if default is None:
        return "none"
    return f"{default:g}" if type(default) is float else str(default)


def _add_field(
    parser: Any,
    entry: dataclasses.Field[Any],
    prefix: str,
    name: str | None = None,
    default: str | None = None,
) -> None:
    """Add a flag for a spec's field; it is not in the namespace unless it is given."""
    accepts: Accepts = entry.metadata["accepts"]
    name = name or entry.name
    if default is None:
        default = _in_words(entry.default)
    text = f"{prefix}{entry.metadata['help']} (default: {default})"
    options: dict[str, Any] = {"default": argparse.SUPPRESS, "help": text, "dest": name}
    if accepts.kind is bool:
        parser.add_argument(flag_of(name), action=argparse.BooleanOptionalAction, **options)
        return
    if accepts.choices:
        options["choices"] = accepts.choices
    else:
        options["metavar"] = {int: "N", float: "X", str: "TEXT"}[accepts.kind]
    if accepts.many:
        options["nargs"] = "*" if accepts.empty else "+"
    parser.add_argument(flag_of(name), type=reader(accepts), **options)


def reader(accepts: Accepts) -> Callable[[str], Any]:
    """Return an argparse type for one value, whose error states the accepted values."""
    one = dataclasses.replace(accepts, many=False, optional=False)

    def read(text: str) -> Any:
        try:
            value = accepts.kind(text)
        except ValueError:
            value = None
        if not one.admits(value):
            raise argparse.ArgumentTypeError(f"received {text!r}, accepted: {one.describe()}")
        return value

    return read
