"""``parity.check``: whether a Keras model and a PyTorch model are the same, where not, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from parity.errors import ParityError
from parity.pairs.align import Alignment, align, feeds
from parity.pairs.calls import Call, Run
from parity.pairs.diagnosis import UNKNOWN, Cause, Proof, causes_of, latent
from parity.pairs.divergence import ALLOWED, Divergence, as_keras, distance, mapped
from parity.pairs.report import Compared, Report
from parity.pairs.side import Side, open_side

WEIGHTS = ("keras", "torch", "as-is")


def check(
    keras_model: Any,
    torch_model: Any,
    inputs: Any,
    *,
    weights: str = "keras",
    torch_inputs: Any = None,
    layer_map: Mapping[str, str] | None = None,
) -> Report:
    """Compare two models layer by layer in float64, in evaluation mode.

    Args:
        keras_model: a model of Keras 2 (``tf_keras``) or 3, or a function that builds one; a
            subclassed one that does not say how it is configured needs the function.
        torch_model: a ``torch.nn.Module``, or a function that builds one.
        inputs: an array, or several in a list, as Keras takes them. Images and volumes reach
            PyTorch channels first, all else as it is.
        weights: ``keras`` copies Keras's weights over, ``torch`` PyTorch's, ``as-is`` none.
        torch_inputs: the inputs of the PyTorch model, where it wants others.
        layer_map: names of Keras layers to names of PyTorch modules that belong together, where
            they are not found or found wrongly.

    Returns:
        The verdict with the first divergence, causes with proof, and settings that differ
        without showing.

    Raises:
        ParityError: an argument cannot be used, a model cannot be built or called.
    """
    if weights not in WEIGHTS:
        raise ParityError(f"weights: received {weights!r}, accepted: {', '.join(WEIGHTS)}")
    given = _arrays(inputs, "inputs")
    own = None if torch_inputs is None else _arrays(torch_inputs, "torch_inputs")
    keras, torch = (
        open_side("keras", keras_model, "float64"),
        open_side("torch", torch_model, "float64"),
    )
    keras_run, torch_run = keras.run(given), torch.run(given, own)
    alignment = align(keras_run.calls, torch_run.calls, layer_map)
    notes = []
    if weights != "as-is":
        notes += _copy_weights(alignment, keras, torch, weights)
        if weights == "torch":
            keras_run = keras.run(given)
        torch_run = torch.run(given, own)
        alignment = _anew(alignment, keras_run, torch_run)
    found = _Findings(keras, torch, keras_run, torch_run, alignment, given, own)
    found.compare()
    return found.report(notes)


def _arrays(values: Any, name: str) -> list[np.ndarray]:
    several = values if isinstance(values, (list, tuple)) else [values]
    arrays = [np.asarray(value) for value in several]
    for array in arrays:
        if array.dtype.kind not in "fiub":
            raise ParityError(f"{name}: received {array.dtype}, accepted: arrays of numbers")
    if not arrays:
        raise ParityError(f"{name}: received none, accepted: an array, or several in a list")
    return arrays


def _copy_weights(alignment: Alignment, keras: Side, torch: Side, weights: str) -> list[str]:
    """Each layer's weights over to its partner; what does not fit is told and left as it is."""
    notes = []
    for k, t in alignment.pairs:
        source, target = (k, t) if weights == "keras" else (t, k)
        fitting = {
            name: value
            for name, value in source.weights.items()
            if name in target.weights and target.weights[name].shape == value.shape
        }
        side = torch if weights == "keras" else keras
        if fitting:
            side.set_weights(target.name, fitting)
        left = sorted({*k.weights, *t.weights} - {*fitting})
        if left:
            notes.append(f"{k.name} / {t.name}: not copied, for they do not fit: {', '.join(left)}")
    return notes


def _anew(alignment: Alignment, keras: Run, torch: Run) -> Alignment:
    """The same alignment of later runs of the same models."""
    return Alignment(
        tuple((keras.calls[k.number], torch.calls[t.number]) for k, t in alignment.pairs),
        tuple(keras.calls[k.number] for k in alignment.keras_only),
        tuple(torch.calls[t.number] for t in alignment.torch_only),
    )


@dataclass
class _Findings:
    """What the comparison has found so far, in Keras's order."""

    keras: Side
    torch: Side
    keras_run: Run
    torch_run: Run
    alignment: Alignment
    inputs: Sequence[np.ndarray]
    torch_inputs: Sequence[np.ndarray] | None
    compared: list[Compared] = field(default_factory=list)
    parted: list[Divergence] = field(default_factory=list)
    causes: list[Cause] = field(default_factory=list)
    latent: list[Cause] = field(default_factory=list)

    def compare(self) -> None:
        """Every pair, fed alike; then what lies between the pairs."""
        fed = self.torch.run(self.inputs, self.torch_inputs, given=self._given()).calls
        for k, t in self.alignment.pairs:
            between = self._between(k, fed[t.number])
            if between:
                self.parted.append(between)
                self.causes.append(self._structure(k, t, between))
            self._own(k, t)

    def _given(self) -> dict[int, np.ndarray]:
        """What PyTorch's calls shall hand on: Keras's outputs, in their own shapes."""
        return {
            t.number: k.output.reshape(t.output.shape)
            for k, t in self.alignment.pairs
            if k.output.size == t.output.size
        }

    def _own(self, k: Call, t: Call) -> None:
        """The layers themselves, both fed what Keras's was fed."""
        ran = distance(k.output, as_keras(t.output, k.output, k))
        observed = None
        if [one.shape for one in k.inputs] == [one.shape for one in t.inputs]:
            forced = as_keras(self.torch.replay(t.number, k.inputs), k.output, k)
            observed = distance(k.output, forced)
            named = []
            if observed > ALLOWED.limit:
                named = causes_of(k, t, k.inputs, forced, self.keras.flavour)
                if named:
                    self._part(k, t, "output", observed)
                    self.causes += named
            self.latent += latent(k, t, {cause.id for cause in named})
        self.compared.append(
            Compared(f"{k.name} ({k.kind})", f"{t.name} ({t.kind})", observed, ALLOWED.limit, ran)
        )

    def _part(self, k: Call, t: Call, tensor: str, observed: float) -> None:
        self.parted.append(
            Divergence("forward_eval", k.name, t.name, tensor, observed, ALLOWED.limit)
        )

    def _between(self, k: Call, t: Call) -> Divergence | None:
        """How far the inputs of two layers stand apart where all before them is Keras's."""
        if len(k.inputs) != len(t.inputs):
            return None
        both = zip(k.inputs, t.inputs, strict=True)
        away = max((distance(own, as_keras(other, own, k)) for own, other in both), default=0.0)
        if away <= ALLOWED.limit:
            return None
        return Divergence("forward_eval", k.name, t.name, "input", away, ALLOWED.limit)

    def _structure(self, k: Call, t: Call, parted: Divergence) -> Cause:
        """What stands between: an order that differs is proven, for layers fed alike agree."""
        partners = {own.number: other.number for own, other in self.alignment.pairs}
        wanted = mapped(feeds(k, self.keras_run.calls, set(partners)), partners)
        found = feeds(t, self.torch_run.calls, set(partners.values()))
        names = self._names(feeds(k, self.keras_run.calls, set(partners)), self.keras_run)
        others = self._names(found, self.torch_run)
        after = parted.observed
        if wanted != found and None not in wanted and None not in found:
            forced = as_keras(self.torch.replay(t.number, k.inputs), k.output, k)
            after = distance(k.output, forced)
            if after <= ALLOWED.limit:
                proof = Proof(parted.observed, after)
                return Cause("structure.order", k.name, names, others, proof)
        return Cause(UNKNOWN, k.name, names, others, Proof(parted.observed, after))

    def _names(self, numbers: frozenset[int | None], run: Run) -> str:
        known = [
            "inputs" if number < 0 else run.calls[number].name
            for number in sorted(one for one in numbers if one is not None)
        ]
        return f"behind {', '.join(known)}" if known else "behind what could not be followed"

    def report(self, notes: Sequence[str]) -> Report:
        """The verdict: outputs decide."""
        outputs = self._outputs()
        different = bool(outputs)
        parted = [*self.parted, *outputs] if different else []
        causes = self.causes if different else []
        if different and not causes:
            away = parted[0].observed
            causes = [Cause(UNKNOWN, parted[0].name, "", "", Proof(away, away))]
        return Report(
            verdict="different" if different else "same",
            dtype="float64",
            first_divergence=parted[0] if parted else None,
            causes=tuple(causes),
            latent=tuple(self.latent),
            compared=tuple(self.compared),
            keras_only=tuple(f"{one.name} ({one.kind})" for one in self.alignment.keras_only),
            torch_only=tuple(f"{one.name} ({one.kind})" for one in self.alignment.torch_only),
            notes=tuple(notes),
        )

    def _outputs(self) -> list[Divergence]:
        """Outputs of the models that stand apart."""
        own, other = self.keras_run.outputs, self.torch_run.outputs
        if len(own) != len(other):
            raise ParityError(
                f"outputs: received {', '.join(own)} of Keras and {', '.join(other)} of PyTorch, "
                "accepted: as many of either"
            )
        found = []
        for name, theirs in zip(own, other, strict=True):
            away = distance(own[name], other[theirs])
            if away > ALLOWED.limit:
                found.append(
                    Divergence("forward_eval", name, theirs, "output", away, ALLOWED.limit)
                )
        return found
