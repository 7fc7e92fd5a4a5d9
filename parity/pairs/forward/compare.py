"""Compares a pair in evaluation mode: each PyTorch layer is fed the inputs of its Keras layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from parity.adapters.calls import Call, Output, Run, leading
from parity.numerics import tolerance
from parity.numerics.distance import relative_error
from parity.pairs.align import config_diff
from parity.pairs.align.call_graph import CallGraph
from parity.pairs.align.tensors import (
    as_keras,
    as_torch,
    different_inputs,
    input_difference,
)
from parity.pairs.causes import graph, layer
from parity.pairs.causes.unequal import UnequalInputs
from parity.pairs.forward import harmless
from parity.pairs.forward.harmless import Substitution
from parity.pairs.forward.setup import Pair
from parity.progress import Progress
from parity.verdict.model_pair import ModelPair, Observation
from parity.verdict.result import (
    UNKNOWN,
    Cause,
    Check,
    Findings,
    LayerComparison,
    Proof,
    compared_rung,
    not_run,
)

RUNG = "forward_eval"


@dataclass(frozen=True)
class EvaluationFindings:
    """What the comparison in evaluation mode found, in Keras's order.

    Attributes:
        layers: every pair of layers.
        divergences: layers whose outputs, or inputs, differ.
        outputs: each of the models' outputs as they ran, whether it differs or not.
        causes: with their proofs, of differences that may have no effect on the outputs.
        latent: settings that differ without effect.
        rounded: layers whose constants differ by Keras's rounding to float32 alone.
        undecided: sentences on weights that were not transferred, see :class:`Transferred`.
    """

    layers: tuple[LayerComparison, ...]
    divergences: tuple[Check, ...]
    outputs: tuple[Check, ...]
    causes: tuple[Cause, ...]
    latent: tuple[Cause, ...]
    rounded: tuple[str, ...]
    undecided: tuple[str, ...] = ()

    @property
    def different_outputs(self) -> tuple[Check, ...]:
        """Outputs of the models that differ by more than is allowed."""
        return tuple(one for one in self.outputs if not one.ok)

    @property
    def largest_difference(self) -> float:
        """Of any output."""
        return max((one.observed for one in self.outputs), default=0.0)

    @property
    def unknown(self) -> int:
        """Number of causes that are unknown."""
        return sum(cause.id == UNKNOWN for cause in self.causes)

    @property
    def different(self) -> bool:
        """Whether the outputs differ by more than rounded constants explain."""
        explained = self.causes or self._unexplained()
        return bool(self.different_outputs and explained and not self.undecided)

    @property
    def inconclusive(self) -> str:
        """Why the outputs cannot be compared: a weight was not transferred; empty if they can."""
        return self.undecided[0] if self.undecided and self.different_outputs else ""

    @property
    def explained_layers(self) -> set[str]:
        """Keras layers that differ, where a cause was found."""
        names = {one.keras_layer or "" for one in self.divergences if self.causes}
        return names | {cause.layer for cause in self.causes}

    def findings(self) -> Findings:
        """The result of the rung; causes without effect on the outputs are latent."""
        if self.inconclusive:
            return not_run((RUNG,), self.inconclusive) + Findings(notes=self.undecided[1:])
        unexplained = self._unexplained()
        proofs = [(one.name, Proof(one.observed, one.observed)) for one in unexplained]
        causes = (*self.causes, *(Cause(UNKNOWN, name, "", "", proof) for name, proof in proofs))
        if self.different:
            found = (*self.divergences, *unexplained)
            checks = (*self.divergences, *self.outputs)
            return Findings((compared_rung(RUNG, found),), causes, self.latent, (), checks)
        hidden = tuple(one for one in causes if one.id != UNKNOWN)
        rung = compared_rung(RUNG, self._rounded_outputs())
        notes = self._rounding_note()
        return Findings((rung,), (), hidden + self.latent, notes, self._rounded_outputs())

    def _rounded_outputs(self) -> tuple[Check, ...]:
        """The outputs, with the tolerance of constants that Keras rounds."""
        allowed, reason = tolerance.SAME_CONSTANT, "Keras rounds constants to float32"
        return tuple(
            one if one.ok else replace(one, allowed=allowed, reason=reason, override=True)
            for one in self.outputs
        )

    def _unexplained(self) -> tuple[Check, ...]:
        """Outputs that differ without any cause, by more than rounded constants explain."""
        limit = tolerance.SAME_CONSTANT if self.rounded else 0.0
        outputs = () if self.causes else self.different_outputs
        return tuple(one for one in outputs if one.observed > limit)

    def _rounding_note(self) -> tuple[str, ...]:
        if not self.rounded:
            return ()
        return (
            f"Keras rounds constants to float32, also in float64: {', '.join(self.rounded)}. "
            "With PyTorch's constants rounded likewise the outputs are equal.",
        )


def compare(pair: Pair, progress: Progress) -> EvaluationFindings:
    """Compare every pair of layers; the arrays of the PyTorch run are released meanwhile.

    PyTorch's model hands on Keras's output behind each layer with weights. Layers without weights
    are compared only where they lead to a layer whose inputs differ.

    Args:
        pair: both models, which have run.
        progress: counts the pairs.
    """
    return _Comparison(pair).compare(progress)


class _Comparison:
    """Collects the findings layer by layer."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.flavour = pair.keras.flavour
        self.observed = ModelPair(pair.dtype)
        self.as_they_ran: dict[int, float] = {}  # by number of the PyTorch call
        self.outputs: list[Check] = []
        self.layers: list[LayerComparison] = []
        self.divergences: list[Check] = []
        self.causes: list[Cause] = []
        self.latent: list[Cause] = []
        self.rounded: list[str] = []
        self.compensated: set[int] = set()  # Keras's calls, see Harmless; so is the next
        self.without_effect: frozenset[int] = frozenset()

    def compare(self, progress: Progress) -> EvaluationFindings:
        pairs, calls = self.pair.alignment.pairs, self.pair.keras_run.calls
        self._measure_own_run()
        fed, upstream = self._substituted()
        unequal: list[UnequalInputs] = []
        cannot_substitute: set[int] = set()
        for k, own in pairs:
            progress.advance(k.name)
            t = fed.calls[own.number]
            observed = relative_error(k.output, as_keras(t.output, k.output, k))
            named: list[Cause] = []
            judged = (k.anchor or k.number in upstream) and k.number not in self.compensated
            if observed > k.allowed and judged:
                inputs, named = self._differs(k, t, observed, cannot_substitute)
                unequal += [inputs] if inputs else []
                if as_torch(k.output, t.output, k) is None or config_diff.refilled(t):
                    cannot_substitute.add(k.number)
            if isinstance(k.config, Output) or (observed > k.allowed and not judged):
                continue  # a layer in between was matched with another that has the same effect
            self.latent += layer.latent(k, t, {cause.id for cause in named}, self.flavour)
            self._note(k, own, observed)
        between = graph.causes_of(unequal, self.pair.alignment, calls, fed.calls, self.flavour)
        self.causes += between
        self._name_missing(between)
        places = {call.name: call.number for call in reversed(calls)}
        causes = graph.without_contained(self.causes)
        causes.sort(key=lambda cause: places.get(cause.layer, len(places)))
        return EvaluationFindings(
            layers=tuple(self.layers),
            divergences=tuple(self.divergences),
            outputs=tuple(self.outputs),
            causes=tuple(causes),
            latent=tuple(self.latent),
            rounded=tuple(self.rounded),
            undecided=self.pair.transferred.undecided,
        )

    def _measure_own_run(self) -> None:
        """The difference of every pair without substitutes; PyTorch's arrays are released then.

        The steps of a sequence are kept, because Keras may return only the last one.
        """
        pairs = self.pair.alignment.pairs
        for k, t in pairs:
            if isinstance(k.config, Output):
                check = self._check(k, t, "", k.output, t.output)
                self.outputs.append(check)
                self.as_they_ran[t.number] = check.observed
            else:
                output = as_keras(t.output, k.output, k)
                self.as_they_ran[t.number] = relative_error(k.output, output)
        sequences = {t.number: t.output for k, t in pairs if k.output.ndim < t.output.ndim}
        self.pair.torch_run.forget()
        for number, output in sequences.items():
            self.pair.torch_run.calls[number].output = output

    def _substituted(self) -> tuple[Run, set[int]]:
        """PyTorch's run with Keras's outputs, and the layers without weights that are judged.

        These lead to an anchor whose inputs differ.
        """
        pairs, calls = self.pair.alignment.pairs, self.pair.keras_run.calls
        substitution = Substitution(self.pair)
        anchors = [pair for pair in pairs if pair[0].anchor]
        fed = substitution.run(anchors)
        found = harmless.anchors(substitution, fed)
        self.compensated, self.without_effect = set(found.compensated), found.without_effect
        if found.compensated:
            fed.forget()
            anchors = [pair for pair in anchors if pair[0].number not in found.compensated]
            fed = substitution.run(anchors)
        upstream: set[int] = set()
        for number, difference in substitution.of(fed).items():
            if not difference <= calls[number].allowed:
                upstream |= leading(calls[number].sources, calls)
        light = [pair for pair in pairs if pair[0].number in upstream]
        if light:
            self.compensated |= harmless.in_between(substitution, anchors, light, fed)
            light = [pair for pair in light if pair[0].number not in self.compensated]
            fed.forget()
            fed = substitution.run([*anchors, *light])
        return fed, upstream

    def _differs(
        self, k: Call, t: Call, observed: float, cannot_substitute: set[int]
    ) -> tuple[UnequalInputs | None, list[Cause]]:
        """A pair whose outputs differ: because of its inputs, of itself, or of both.

        What is fed by one of ``cannot_substitute``, whose output PyTorch could not hand on, only
        follows from it.
        """
        difference = input_difference(k, t)
        if difference <= k.allowed:
            return None, self._causes(k, t, as_keras(t.output, k.output, k))
        follows = bool(cannot_substitute & {*k.sources})
        replayed = self._replayed(k, t)
        residual = observed if replayed is None else relative_error(k.output, replayed)
        if isinstance(t.config, Output):  # which is its input
            residual = 0.0
        if not follows:
            self.divergences.append(self._check(k, t, "/input", *different_inputs(k, t)))
        named = []
        if replayed is not None and residual > k.allowed:
            named = self._causes(k, t, replayed)
            residual = max((one.proof.after for one in named if one.proof), default=0.0)
        return None if follows else UnequalInputs(k, t, difference, residual), named

    def _replayed(self, k: Call, t: Call) -> np.ndarray | None:
        """PyTorch's output for the Keras layer's inputs; None where it cannot take their shape."""
        if isinstance(t.config, Output):
            return k.output
        if len(k.inputs) != len(t.inputs):
            return None
        values: Sequence[np.ndarray] = k.inputs
        try:
            for part in t.merged_calls:
                values = [self.pair.torch.replay(part, values)]
        except (RuntimeError, ValueError, IndexError, TypeError, AssertionError):
            return None
        return as_keras(values[0], k.output, k)

    def _causes(self, k: Call, t: Call, actual: np.ndarray) -> list[Cause]:
        """Causes within the layer; none where only the rounding of constants differs."""
        named = layer.causes_of(k, t, k.inputs, actual, self.flavour, self._flattened(k))
        if k.number in self.without_effect:
            self.latent += [one for one in named if one.id != UNKNOWN]
        elif named:
            self.divergences.append(self._check(k, t, "", k.output, actual))
            self.causes += named
        else:
            self.rounded.append(k.name)
        return named

    def _name_missing(self, causes: Sequence[Cause]) -> None:
        """Where a layer is missing, the divergence has its name, not that of the layer it feeds."""
        missing = {one.layer for one in causes if one.id == "structure.missing"}
        only = [one for one in self.pair.alignment.keras_only if one.name in missing]
        graph = CallGraph(self.pair.keras_run.calls)
        matched = {k.number: k.name for k, _ in self.pair.alignment.pairs}
        for call in only:
            ahead, fed = [call.number], set()
            while ahead:
                takers = graph.takers[ahead.pop()]
                fed |= {matched[one] for one in takers if one in matched}
                ahead += [one for one in takers if one not in matched]
            self.divergences = [
                replace(one, keras_layer=call.name) if one.keras_layer in fed else one
                for one in self.divergences
            ]

    def _flattened(self, k: Call) -> tuple[int, ...] | None:
        """Shape of the map that was flattened into a layer's input."""
        source = k.sources[0] if k.sources else None
        while source is not None and source >= 0:
            call = self.pair.keras_run.calls[source]
            if call.layer == "Flatten":
                return call.inputs[0].shape[1:] if call.inputs[0].ndim > 2 else None
            if call.weights:
                return None
            source = call.sources[0] if call.sources else None
        return None

    def _check(
        self, k: Call, t: Call, what: str, expected: np.ndarray | None, actual: np.ndarray | None
    ) -> Check:
        """The check of a layer's output, or of its input."""
        one = Observation(RUNG, k.name + what, "output", (k.name, t.name))
        return self.observed.compare(one, expected, actual, self.pair.measured(k))

    def _note(self, k: Call, t: Call, observed: float) -> None:
        names = f"{k.name} ({k.kind})", f"{t.name} ({t.kind})"
        known = k.config is not None and t.config is not None
        ran = self.as_they_ran[t.number]
        shape = k.output.shape[1:]
        self.layers.append(LayerComparison(*names, observed, k.allowed, ran, known, shape))
