"""The comparison itself: pairs of layers, each fed what Keras's was fed, and what feeds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from parity.adapters.calls import Call, Output, Run, leading
from parity.adapters.side import Side
from parity.numerics import tolerance
from parity.numerics.arrays import distance
from parity.pairs.align import config_diff
from parity.pairs.align.fusion import fused_run
from parity.pairs.align.match import Alignment
from parity.pairs.align.tensors import as_keras, as_torch, inputs_apart
from parity.pairs.causes import graph, layer
from parity.pairs.causes.graph import Misfit
from parity.progress import Progress
from parity.verdict.result import Cause, Divergence, LayerComparison


@dataclass
class Findings:
    """What a comparison has found so far, in Keras's order.

    Attributes:
        keras: the Keras model.
        torch: the PyTorch model.
        keras_run: its calls.
        torch_run: its calls in its own course.
        alignment: which call is which.
        compared, parted, causes, latent: for the report.
        rounded: layers whose constants differ by Keras's rounding to float32 alone.
        ran: PyTorch call to how far it stands from its partner in the models' own course.
    """

    keras: Side
    torch: Side
    keras_run: Run
    torch_run: Run
    alignment: Alignment
    compared: list[LayerComparison] = field(default_factory=list)
    parted: list[Divergence] = field(default_factory=list)
    causes: list[Cause] = field(default_factory=list)
    latent: list[Cause] = field(default_factory=list)
    rounded: list[str] = field(default_factory=list)
    ran: dict[int, float] = field(default_factory=dict)

    def compare(
        self,
        inputs: Sequence[np.ndarray],
        torch_inputs: Sequence[np.ndarray] | None,
        progress: Progress,
    ) -> None:
        """Every pair, the PyTorch model fed Keras's output behind each layer that was compared.

        Layers with weights first; what stands between them, only where they are not fed alike.
        """
        anchors = [pair for pair in self.alignment.pairs if pair[0].anchor]
        self._run_apart()
        fed = self._fed(inputs, torch_inputs, anchors)
        astray = self._astray(anchors, fed)
        light = [pair for pair in self.alignment.pairs if pair[0].number in astray]
        if light:
            fed.forget()
            fed = self._fed(inputs, torch_inputs, [*anchors, *light])
        misfits: list[Misfit] = []
        torn: set[int] = set()
        for k, ran in self.alignment.pairs:
            progress.advance(k.name)
            t = fed.calls[ran.number]
            observed = distance(k.output, as_keras(t.output, k.output, k))
            named: list[Cause] = []
            if observed > k.allowed and (k.anchor or k.number in astray):
                misfit, named = self._differs(k, t, observed, torn)
                misfits += [misfit] if misfit else []
                if as_torch(k.output, t.output, k) is None or config_diff.refilled(t):
                    torn.add(k.number)
            beside = observed > k.allowed and not (k.anchor or k.number in astray)
            if isinstance(k.config, Output) or beside:
                continue  # what stands between was matched otherwise, and comes to the same
            self.latent += layer.latent(k, t, {cause.id for cause in named}, self.keras.flavour)
            self._note(k, ran, observed)
        self.causes += graph.causes_of(
            misfits, self.alignment, self.keras_run.calls, fed.calls, self.keras.flavour
        )
        self.causes = graph.without_parts(self.causes)
        places = {call.name: call.number for call in reversed(self.keras_run.calls)}
        self.causes.sort(key=lambda cause: places.get(cause.layer, len(places)))

    def _run_apart(self) -> None:
        """How far every pair stands apart in the models' own course; what it gave may go then.

        The steps of a sequence stay, for Keras may not give them.
        """
        for k, t in self.alignment.pairs:
            own = isinstance(k.config, Output)
            given = t.output if own else as_keras(t.output, k.output, k)
            self.ran[t.number] = distance(k.output, given)
        steps = {
            t.number: t.output for k, t in self.alignment.pairs if k.output.ndim < t.output.ndim
        }
        self.torch_run.forget()
        for number, output in steps.items():
            self.torch_run.calls[number].output = output

    def forget(self) -> None:
        """Let go of what the layers were fed and gave; nothing is compared any more."""
        self.keras_run.forget()
        self.torch_run.forget()
        self.keras.forget()
        self.torch.forget()

    def _fed(
        self,
        inputs: Sequence[np.ndarray],
        torch_inputs: Sequence[np.ndarray] | None,
        pairs: Sequence[tuple[Call, Call]],
    ) -> Run:
        """The PyTorch model where these pairs hand on what Keras's layer gave."""
        given = {t.number: as_torch(k.output, t.output, k) for k, t in pairs}
        fitting = {number: value for number, value in given.items() if value is not None}
        run = self.torch.run(inputs, torch_inputs, given=fitting).facing(self.keras_run)
        return fused_run(run)

    def _astray(self, anchors: Sequence[tuple[Call, Call]], fed: Run) -> set[int]:
        """Keras calls without weights that lead to an anchor that is not fed alike."""
        found: set[int] = set()
        for k, t in anchors:
            if inputs_apart(k, fed.calls[t.number]) > k.allowed:
                found |= leading(k.sources, self.keras_run.calls)
        return found

    def _differs(
        self, k: Call, t: Call, observed: float, torn: set[int]
    ) -> tuple[Misfit | None, list[Cause]]:
        """A pair whose outputs stand apart: what it is fed, its own causes, or both.

        What is fed by one of ``torn``, whose output PyTorch's could not hand on, only follows it.
        """
        away = inputs_apart(k, t)
        if away <= k.allowed:
            return None, self._own(k, t, as_keras(t.output, k.output, k), observed)
        forced = self._forced(k, t)
        left = observed if forced is None else distance(k.output, forced)
        if isinstance(t.config, Output):  # which is what it is fed
            left = 0.0
        if not torn & {*k.sources}:
            self._part(k, t, "input", away)
        named = []
        if forced is not None and left > k.allowed:
            named = self._own(k, t, forced, left)
            left = max((one.proof.after for one in named if one.proof), default=0.0)
        return None if torn & {*k.sources} else Misfit(k, t, away, left), named

    def _forced(self, k: Call, t: Call) -> np.ndarray | None:
        """What PyTorch's layer gives for Keras's input; None where it cannot take its shape."""
        if isinstance(t.config, Output):
            return k.output
        if len(k.inputs) != len(t.inputs):
            return None
        values: Sequence[np.ndarray] = k.inputs
        try:
            for part in t.parts:
                values = [self.torch.replay(part, values)]
        except (RuntimeError, ValueError, IndexError, TypeError, AssertionError):
            return None
        return as_keras(values[0], k.output, k)

    def _own(self, k: Call, t: Call, forced: np.ndarray, observed: float) -> list[Cause]:
        """Causes within the layer; none where only constants are rounded otherwise."""
        flattened = self._flattened(k)
        named = layer.causes_of(k, t, k.inputs, forced, self.keras.flavour, flattened)
        if named:
            self._part(k, t, "output", observed)
            self.causes += named
        else:
            self.rounded.append(k.name)
        return named

    def _flattened(self, k: Call) -> tuple[int, ...] | None:
        """Shape of the map that was flattened into a layer's input."""
        source = k.sources[0] if k.sources else None
        while source is not None and source >= 0:
            call = self.keras_run.calls[source]
            if call.layer == "Flatten":
                return call.inputs[0].shape[1:] if call.inputs[0].ndim > 2 else None
            if call.weights:
                return None
            source = call.sources[0] if call.sources else None
        return None

    def _part(self, k: Call, t: Call, tensor: str, observed: float) -> None:
        self.parted.append(Divergence("forward_eval", k.name, t.name, tensor, observed, k.allowed))

    def _note(self, k: Call, t: Call, observed: float) -> None:
        names = f"{k.name} ({k.kind})", f"{t.name} ({t.kind})"
        known = k.config is not None and t.config is not None
        self.compared.append(
            LayerComparison(*names, observed, k.allowed, self.ran[t.number], known)
        )

    def outputs_apart(self) -> list[Divergence]:
        """Outputs of the models that stand off, in their own course."""
        return [
            Divergence("forward_eval", k.name, t.name, "output", away, k.allowed)
            for k, t in self._ends()
            if (away := self.ran[t.number]) > k.allowed
        ]

    def farthest(self) -> float:
        """How far an output stands off at most."""
        return max((self.ran[t.number] for _, t in self._ends()), default=0.0)

    def _ends(self) -> list[tuple[Call, Call]]:
        return [pair for pair in self.alignment.pairs if isinstance(pair[0].config, Output)]

    def unexplained(self) -> list[Divergence]:
        """Those for which no cause was found, and that rounded constants are too small for."""
        if self.causes:
            return []
        limit = tolerance.FLOAT32_FLOOR if self.rounded else 0.0
        return [parted for parted in self.outputs_apart() if parted.observed > limit]
