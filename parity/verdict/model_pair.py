"""ModelPair: the tensors of two models in this process, compared as they are computed."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from parity import rungs
from parity.numerics.distance import Distance, distance
from parity.numerics.tolerance import Allowed
from parity.rungs import TensorRole
from parity.verdict.judge import Judge
from parity.verdict.pair import Pair
from parity.verdict.result import Check

SIDES = ("Keras", "PyTorch")


@dataclass(frozen=True)
class Observation:
    """One tensor of two models, under the name that a record gives it.

    Attributes:
        rung: where it is computed, see :data:`parity.rungs.RUNGS`.
        tensor: its name within the rung, see :mod:`parity.rungs`; the layer's name is Keras's.
        kind: see :attr:`parity.rungs.TensorRole.kind`.
        layers: the layer's name in the Keras model, and the module's in the PyTorch model.
        step: number of the optimizer step, from 1.
        least_scale: the difference is relative to the largest entry, or to this if none is as
            large: the size of what a tensor that is zero except for rounding is computed from.
    """

    rung: str
    tensor: str
    kind: str
    layers: tuple[str | None, str | None]
    step: int | None = None
    least_scale: float = 0.0


class ModelPair(Pair):
    """Two models; arrays are compared when they are observed and not kept.

    Attributes:
        least: the smallest tolerance of any tensor, if it is not the judge's.
    """

    def __init__(
        self,
        dtype: str,
        steps: int = 0,
        rounding: Callable[[str], tuple[float, float]] = lambda name: (0.0, 0.0),
    ) -> None:
        """Start without observations.

        Args:
            dtype: of both models.
            steps: of the optimizer.
            rounding: see :meth:`Pair.rounding`; called only where it decides.
        """
        self.dtype, self.steps, self.sides = dtype, steps, SIDES
        self.rounding_of = rounding
        self.least: Allowed | None = None
        self.judge = Judge(self)
        self._distances: dict[str, Distance] = {}
        self._entries: dict[str, int] = {}
        self._roles: dict[str, TensorRole] = {}

    @property
    def both(self) -> Collection[str]:
        """See :attr:`Pair.both`."""
        return self._distances.keys()

    @property
    def roles(self) -> Mapping[str, TensorRole]:
        """See :attr:`Pair.roles`."""
        return self._roles

    def entries(self, name: str) -> int:
        """See :meth:`Pair.entries`."""
        return self._entries[name]

    def rounding(self, name: str) -> tuple[float, float]:
        """See :meth:`Pair.rounding`."""
        return self.rounding_of(name)

    def distance(self, name: str, reference: str | None = None, side: int = 1) -> Distance:
        """See :meth:`Pair.distance`; a model's float32 is not compared with its float64."""
        found = self._distances[name]
        return found if side else replace(found, largest=0.0, rms=0.0)

    def observe(
        self, one: Observation, expected: np.ndarray | None, actual: np.ndarray | None
    ) -> None:
        """Measure the difference of a tensor.

        Args:
            one: what it is.
            expected: Keras's, in Keras's layout; None where only PyTorch has one.
            actual: PyTorch's, in Keras's layout; None where only Keras has one.
        """
        name = rungs.join(self.dtype, one.rung, one.tensor)
        if expected is None or actual is None:
            found = Distance(math.inf, math.inf, (0.0, 0.0), (), None, (0, 0))
        else:
            found = distance(expected, actual)
            found = replace(found, scales=(max(found.scales[0], one.least_scale), found.scales[1]))
        self._distances[name] = found
        self._entries[name] = 0 if expected is None else expected.size
        self._roles[name] = TensorRole(one.kind, one.layers[0] or "", one.tensor, one.step)

    def judged(self, one: Observation, allowed: Allowed | None = None) -> Check:
        """The check of an observed tensor.

        Args:
            one: what it is.
            allowed: its tolerance, where it was measured; None: the judge's.
        """
        name = rungs.join(self.dtype, one.rung, one.tensor)
        if allowed is None:
            (check,) = self.judge.check(name)
        else:
            found = self._distances[name]
            check = self.check(name, found, found.relative, allowed)
        least = self.least
        if least is not None and not check.ok and check.observed <= least.limit:
            check = replace(check, allowed=least.limit, reason=least.reason, override=True)
        keras_layer, torch_module = one.layers
        return replace(check, step=one.step, keras_layer=keras_layer, torch_module=torch_module)

    def compare(
        self,
        one: Observation,
        expected: np.ndarray | None,
        actual: np.ndarray | None,
        allowed: Allowed | None = None,
    ) -> Check:
        """Observe and judge a tensor: see :meth:`observe` and :meth:`judged`."""
        self.observe(one, expected, actual)
        return self.judged(one, allowed)
