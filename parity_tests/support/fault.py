"""An injected fault, and what a comparison must report about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import pytest
from torch import nn

from parity.constants import FLAVOURS


@dataclass(frozen=True)
class Twins:
    """One of the project's models in both frameworks, and how it is trained.

    Attributes:
        family, variant, optimizer: the model and its optimizer.
        recipe: further options, by name (:func:`parity_tests.support.cases.recipe`); or none.
    """

    family: str
    variant: str
    optimizer: str = "sgd"
    recipe: str = ""


@dataclass(frozen=True)
class Pair:
    """A user's Keras model and PyTorch module, and the arguments of a check.

    Attributes:
        keras: a function of the Keras package that builds the model with its weights, or a
            function without arguments that does.
        torch: builds the module.
        inputs: makes the Keras inputs.
        options: a function of the Keras package that gives further arguments of
            :func:`parity.check`.
        flavours: the Keras versions that have these layers.
    """

    keras: Callable[[Any], Any]
    torch: Callable[[], nn.Module]
    inputs: Callable[[], Any]
    options: Callable[[Any], dict[str, Any]] = lambda keras: {}
    flavours: tuple[str, ...] = FLAVOURS


Models = TypeVar("Models", Twins, Pair)


@dataclass(frozen=True, kw_only=True)
class Fault(Generic[Models]):
    """A fault in the PyTorch side of two models, and what a comparison must report.

    Attributes:
        name: kind of layer and fault; the catalogue id of its cause where one name is enough.
        models: the two models.
        inject: changes the PyTorch side: a function of a ``MonkeyPatch`` for twins, of the module
            with Keras's weights for a pair; None if ``models.torch`` builds the faulty module.
        drive: a change of both sides that makes the fault visible; also a function of the patch.
        rung: the first rung that differs.
        dtype: the dtype in which it differs.
        layer: the layer, or data, loss or optimizer; empty if no particular one is expected.
        step: the optimizer step, if one is expected.
        causes: the ids of the causes, no more and no fewer.
        unnamed: why no cause can be reported; empty if one can.
        entry: the catalogue id of an unnamed cause, if the fault has another name.
    """

    name: str
    models: Models
    inject: Callable[[Any], object] | None = None
    drive: Callable[[pytest.MonkeyPatch], None] | None = None
    rung: str = "forward_eval"
    dtype: str = "float64"
    layer: str = ""
    step: int | None = None
    causes: tuple[str, ...] = ()
    unnamed: str = ""
    entry: str = ""
