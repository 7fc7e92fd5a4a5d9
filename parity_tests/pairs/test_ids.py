"""Every id that a check can name is told by ``parity explain``."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import parity.pairs
from parity.errors import ParityError
from parity.pairs.align import config_diff
from parity.pairs.align.config_diff import Setting
from parity.pairs.causes import batch_norm, ids, weight_layouts
from parity.pairs.causes.training import loss, optimizer
from parity.reference import catalogue
from parity.reference.formula import Settings
from parity.reference.layers.kinds import KINDS
from parity.reference.optimizers.formulas import COMMON, FORMULAS

ID = re.compile(r"[a-z0-9_]+\.[a-z0-9_]+")
FILES = ("report.json", "report.html", "parity.sides", "weights.swapped_")
"""Texts of that form that are no ids, or the beginning of one."""


def written() -> set[str]:
    """Ids that stand in the sources as texts."""
    folder = Path(parity.pairs.__file__).parent
    texts = {
        node.value
        for file in folder.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return {text for text in texts if ID.fullmatch(text)} - {*FILES}


def of_layers() -> set[str]:
    """Ids made of a configuration's class, and a field, a weight or another kind."""
    found = set()
    for config, kind in KINDS.items():
        call: Any = SimpleNamespace(config=object.__new__(config))
        found |= {
            ids.id_of(call, Setting(name, None, 0))
            for name in (*kind.settings, "kind", *kind.weights)
            if name not in config_diff.IGNORED and config.__name__ != "Activation"
        }
    return found


def of_optimizers() -> set[str]:
    """Ids of every setting of every formula."""
    return {
        optimizer.cause_of(own, other, name, "", None, "step").id
        for family, formula in FORMULAS.items()
        for decay in ("decoupled", "in the gradient")
        for own in [Settings(family, {**COMMON, **formula.settings})]
        for other in [Settings(family, {**own.values, "decay": decay})]
        for name in own.values
        if name not in optimizer.CLIPPING
    }


def of_gates() -> set[str]:
    """Ids of recurrent kernels that were put in wrongly; a single gate has no order."""
    found = {f"{name}.kernel_layout" for name, _ in weight_layouts.RECURRENT.values()}
    return found | {
        f"{name}.gate_order" for name, count in weight_layouts.RECURRENT.values() if count > 1
    }


EVERY = sorted(
    written()
    | of_layers()
    | of_optimizers()
    | of_gates()
    | {*loss.IDS.values(), *batch_norm.IDS.values()}
)


@pytest.mark.parametrize("name", EVERY)
def test_every_id_is_explained(name: str) -> None:
    """Every id that a check can report has a complete entry, under the id itself or as an alias."""
    found = catalogue.entry(name)
    assert name in (found.id, *getattr(found, "aliases", ()))
    assert ID.fullmatch(name)
    assert all(text for _, text in found.sections())


def test_ids_are_collected_where_they_are_written() -> None:
    """The collection finds what is known to be named."""
    assert {"structure.order", "layer.trainable", "optimizer.kind", "l2.factor"} <= written()
    assert {"conv.strides", "batch_norm.epsilon", "average_pool.kind"} <= of_layers()
    assert {"sgd.dampening", "adam.epsilon_placement", "adagrad.epsilon"} <= of_optimizers()


@pytest.mark.parametrize("name", ["conv.reset", "structure.else", "adam.units", "qqqq.kind"])
def test_others_are_not(name: str) -> None:
    """A setting that no layer has is refused, whatever its kind."""
    with pytest.raises(ParityError, match=name):
        catalogue.entry(name)
