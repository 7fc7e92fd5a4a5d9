"""Converts a file of weights of one framework to a file of the other, with a pair of models."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from parity.adapters.calls import Call, Run
from parity.adapters.side import Side, load_adapter, sides
from parity.errors import ParityError
from parity.numerics import tolerance
from parity.numerics.distance import relative_error
from parity.pairs.align import unowned_parameters
from parity.pairs.align.fusion import fused
from parity.pairs.align.match import Alignment, align
from parity.pairs.arguments import arrays
from parity.pairs.check import check

SIDES = ("keras", "torch")
TITLES = {"keras": "Keras", "torch": "PyTorch"}
ALLOWED = tolerance.FLOAT64["forward_eval"]


@dataclass(frozen=True)
class Converted:
    """The result of a conversion.

    Attributes:
        layers: number of layers with weights.
        weights: number of entries that were copied.
        same: whether the models, each with the weights of its own file, compute the same.
        observed: relative error of their outputs in float64; inf where the shapes differ.
        allowed: its tolerance, apart from constants that Keras rounds.
        rounded: layers with weights that no number of the target's dtype equals, such as the sum of
            a PyTorch LSTM's two biases.
        not_copied: weights by name, of either model, that belong to no layer that was called; they
            are as the model's builder made them, or were not copied.
    """

    layers: int
    weights: int
    same: bool
    observed: float
    allowed: float
    rounded: tuple[str, ...]
    not_copied: tuple[str, ...]


def convert(
    source: Path,
    target: Path,
    pair: Mapping[str, Any],
    layer_map: Mapping[str, str] | None = None,
) -> Converted:
    """Read the source's weights into its model, copy them, write the other model's.

    The target takes the source's dtype, float32 or float64 (half precision becomes float32), and
    is written whole or not at all. Both files are then read, in float64, into new models.

    Args:
        source: a file of weights.
        target: the file to write, of the other framework or of the same.
        pair: arguments of ``parity.check``: of them the two builders and the inputs.
        layer_map: names of Keras layers to names of PyTorch modules that belong together.

    Raises:
        ParityError: a file cannot be used, or a layer has weights that the other's lacks.
    """
    own, other = side_of(source, "SOURCE"), side_of(target, "TARGET")
    dtype = sides()[own].dtype_of(source)
    models = {name: load_adapter(name, pair[f"{name}_model"], dtype) for name in {own, other}}
    runs = {name: _run(side, name, pair) for name, side in models.items()}
    models[own].load(source)
    runs[own] = _run(models[own], own, pair)
    calls = runs[own].calls
    carried: set[tuple[str, str]] = set()
    if own != other:
        alignment = align(fused(runs["keras"].calls), fused(runs["torch"].calls), layer_map)
        carried = _carry(alignment, models, own)
    missing = [
        f"{name}: {one}"
        for name, side in models.items()
        for one in side.weights_without_layer()
        if (name, one) not in carried
    ]
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".parity-", dir=target.parent) as folder:
        made = Path(folder) / target.name
        models[other].save(made)
        made.chmod(0o644)  # safetensors' are readable by their owner only
        del models
        read = [(one, _read(one, path, pair)) for one, path in ((own, source), (other, made))]
        made.replace(target)
    exact, result = (_run(side, name, pair) for name, side in read)
    rounded = [one.name for one, two in zip(calls, exact.calls, strict=True) if _rounded(one, two)]
    allowed = tolerance.ROUNDING_MAX if rounded else ALLOWED.limit
    observed = _difference(list(exact.outputs.values()), list(result.outputs.values()))
    same = observed <= allowed
    if not same and own != other:
        anew = exact if own == "keras" else result
        # Keras numbers layers without a name consecutively: built again they have other names
        names = {
            one.name: two.name for one, two in zip(runs["keras"].calls, anew.calls, strict=True)
        }
        same = _checked(dict(read), pair, {names[k]: t for k, t in (layer_map or {}).items()})
    weights = {one.name: one.weights for one in calls if one.weights}
    return Converted(
        layers=len(weights),
        weights=sum(value.size for one in weights.values() for value in one.values()),
        same=same,
        observed=observed,
        allowed=allowed,
        rounded=tuple(rounded),
        not_copied=tuple(sorted(missing)),
    )


def side_of(path: Path, what: str) -> str:
    """The framework whose weights a file of that name contains, by its suffix.

    Raises:
        ParityError: it is no known suffix.
    """
    suffixes = {name: side.suffixes for name, side in sides().items()}
    for name, ends in suffixes.items():
        if path.name.endswith(ends):
            return name
    accepted = ", ".join(end for ends in suffixes.values() for end in ends)
    raise ParityError(f"{what}: received {path.name!r}, accepted: a name that ends in {accepted}")


def _run(side: Side, name: str, pair: Mapping[str, Any]) -> Run:
    inputs = pair.get("torch_inputs") if name == "torch" else None
    torch_inputs = None if inputs is None else arrays(inputs, "torch_inputs")
    return side.run(arrays(pair["inputs"], "inputs"), torch_inputs)


def _rounded(call: Call, exact: Call) -> bool:
    """Whether a weight differs from its value in float64."""
    return not all(
        np.array_equal(value, call.weights[name], equal_nan=True)
        for name, value in exact.weights.items()
    )


def _carry(alignment: Alignment, models: Mapping[str, Side], source: str) -> set[tuple[str, str]]:
    """Copy each layer's weights to its partner.

    Returns:
        Framework and name of each unowned parameter that was copied.

    Raises:
        ParityError: a layer has weights and no partner, or other weights than its partner.
    """
    names = unowned_parameters.carry(alignment, models["keras"], models["torch"], source).pairs
    carried = {(side, one) for pair in names for side, one in zip(SIDES, pair, strict=True)}
    alone = alignment.keras_only, alignment.torch_only
    for place, (side, calls) in enumerate(zip(SIDES, alone, strict=True)):
        held = [pair[place].name for pair in alignment.pairs]
        for call in calls:
            held_by_call = {*models[side].unowned_parameters(held)} - {
                *models[side].unowned_parameters([*held, call.name])
            }
            if call.weights and any((side, one) not in carried for one in held_by_call):
                raise ParityError(
                    f"{call.name}: received weights of a layer that only {TITLES[side]} has, "
                    "accepted: layers with a partner each (see --map)"
                )
    for k, t in alignment.pairs:
        shapes = [{name: one.shape for name, one in call.weights.items()} for call in (k, t)]
        if shapes[0] != shapes[1]:
            received = " and ".join(_listed(one) for one in shapes)
            raise ParityError(
                f"{k.name} / {t.name}: received {received}, accepted: the same weights"
            )
        if k.weights:
            (one, other), target = ((k, t), "torch") if source == "keras" else ((t, k), "keras")
            models[target].set_weights(other.name, one.weights)
    return carried


def _listed(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in sorted(shapes.items())) or "no weights"


def _read(name: str, path: Path, pair: Mapping[str, Any]) -> Side:
    """A model in float64 with a file's weights."""
    side = load_adapter(name, pair[f"{name}_model"], "float64")
    _run(side, name, pair)
    side.load(path)
    return side


def _checked(
    models: Mapping[str, Side], pair: Mapping[str, Any], layer_map: Mapping[str, str]
) -> bool:
    """Whether a check of both finds no difference; a constant that Keras rounds is none."""
    report = check(
        lambda: models["keras"].model,
        lambda: models["torch"].model,
        pair["inputs"],
        weights="as-is",
        torch_inputs=pair.get("torch_inputs"),
        layer_map=layer_map,
        float32=False,
    )
    return report.verdict == "same"


def _difference(expected: list[np.ndarray], actual: list[np.ndarray]) -> float:
    if len(expected) != len(actual):
        return float("inf")
    return max((relative_error(*both) for both in zip(expected, actual, strict=True)), default=0.0)
