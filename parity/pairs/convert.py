"""Weights from a file of one framework to a file of the other, by way of a pair of models."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from parity.errors import ParityError
from parity.pairs.align import Alignment, align
from parity.pairs.calls import Run
from parity.pairs.divergence import ALLOWED, distance
from parity.pairs.side import Side, open_side, sides


@dataclass(frozen=True)
class Converted:
    """What became of it.

    Attributes:
        layers: that have weights.
        weights: numbers that were carried.
        observed: how far the models' outputs stand apart in float64, either with the weights of
            its own file, relative to the largest entry; inf where their shapes differ.
        allowed: how far they may.
        left: weights by name, on either side, that belong to no layer that was called; they stand
            as the model's builder made them, or were not carried.
    """

    layers: int
    weights: int
    observed: float
    allowed: float
    left: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether the models compute the same."""
        return self.observed <= self.allowed


def convert(
    source: Path,
    target: Path,
    pair: Mapping[str, Any],
    layer_map: Mapping[str, str] | None = None,
) -> Converted:
    """Read the source's weights into its model, carry them over, write the other model's.

    The target takes the source's dtype, float32 or float64 (half precision becomes float32), and
    is written whole or not at all. Both files are then read, in float64, into new models.

    Args:
        source: a file of weights.
        target: one to be made, of the other framework or of the same.
        pair: arguments of ``parity.check``: of them the two builders and the inputs.
        layer_map: names of Keras layers to names of PyTorch modules that belong together.

    Raises:
        ParityError: a file cannot be used, or a layer has weights that the other's lacks.
    """
    own, other = side_of(source, "SOURCE"), side_of(target, "TARGET")
    dtype = sides()[own].dtype_of(source)
    models = {name: open_side(name, pair[f"{name}_model"], dtype) for name in {own, other}}
    runs = {name: _run(side, name, pair) for name, side in models.items()}
    models[own].load(source)
    runs[own] = _run(models[own], own, pair)
    counts = [len(one.weights) for one in runs[own].calls]
    layers, weights = sum(1 for one in counts if one), _count(runs[own])
    if own != other:
        alignment = align(runs["keras"].calls, runs["torch"].calls, layer_map)
        _carry(alignment, models[other], from_keras=own == "keras")
    left = [f"{name}: {one}" for name, side in models.items() for one in side.apart()]
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".parity-", dir=target.parent) as folder:
        made = Path(folder) / target.name
        models[other].save(made)
        del models, runs
        outputs = [_outputs(one, path, pair) for one, path in ((own, source), (other, made))]
        made.replace(target)
    return Converted(layers, weights, _apart(*outputs), ALLOWED.limit, tuple(sorted(left)))


def side_of(path: Path, what: str) -> str:
    """The framework whose weights a file of that name holds.

    Raises:
        ParityError: none's.
    """
    suffixes = {name: side.suffixes for name, side in sides().items()}
    for name, ends in suffixes.items():
        if path.name.endswith(ends):
            return name
    accepted = ", ".join(end for ends in suffixes.values() for end in ends)
    raise ParityError(f"{what}: received {path.name!r}, accepted: a name that ends in {accepted}")


def _run(side: Side, name: str, pair: Mapping[str, Any]) -> Run:
    inputs, own = (_several(pair.get(one)) for one in ("inputs", "torch_inputs"))
    return side.run(inputs or [], own if name == "torch" else None)


def _several(values: Any) -> list[np.ndarray] | None:
    if values is None:
        return None
    several = values if isinstance(values, (list, tuple)) else [values]
    return [np.asarray(value) for value in several]


def _count(run: Run) -> int:
    """Numbers in the weights of layers, each layer counted once."""
    layers = {one.name: one.weights for one in run.calls}
    return sum(value.size for weights in layers.values() for value in weights.values())


def _carry(alignment: Alignment, target: Side, *, from_keras: bool) -> None:
    """Each layer's weights over to its partner: all of them, or none is worth having.

    Raises:
        ParityError: a layer has weights and no partner, or other weights than its partner.
    """
    for side, alone in (("Keras", alignment.keras_only), ("PyTorch", alignment.torch_only)):
        for call in alone:
            if call.weights:
                raise ParityError(
                    f"{call.name}: received weights of a layer that only {side} has, accepted: "
                    "layers with a partner each (see --map)"
                )
    for k, t in alignment.pairs:
        shapes = [{name: one.shape for name, one in call.weights.items()} for call in (k, t)]
        if shapes[0] != shapes[1]:
            received = " and ".join(_listed(one) for one in shapes)
            raise ParityError(
                f"{k.name} / {t.name}: received {received}, accepted: the same weights"
            )
        if k.weights:
            giver, taker = (k, t) if from_keras else (t, k)
            target.set_weights(taker.name, giver.weights)


def _listed(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in sorted(shapes.items())) or "no weights"


def _outputs(name: str, path: Path, pair: Mapping[str, Any]) -> list[np.ndarray]:
    """What a model gives in float64 with a file's weights."""
    side = open_side(name, pair[f"{name}_model"], "float64")
    _run(side, name, pair)
    side.load(path)
    return list(_run(side, name, pair).outputs.values())


def _apart(own: list[np.ndarray], other: list[np.ndarray]) -> float:
    if len(own) != len(other):
        return float("inf")
    return max((distance(*both) for both in zip(own, other, strict=True)), default=0.0)
