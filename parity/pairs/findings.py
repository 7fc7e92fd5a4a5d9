"""The comparison itself: pairs of layers, each fed what Keras's was fed, and what feeds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from parity.errors import ParityError
from parity.pairs import diagnosis, structure
from parity.pairs.align import Alignment
from parity.pairs.calls import Call, Run
from parity.pairs.diagnosis import UNKNOWN, Cause, Proof
from parity.pairs.divergence import ALLOWED, Divergence, as_keras, distance
from parity.pairs.fuse import fused
from parity.pairs.report import Compared
from parity.pairs.side import Side
from parity.pairs.structure import Misfit


@dataclass
class Findings:
    """What a comparison has found so far, in Keras's order.

    Attributes:
        keras: the Keras model.
        torch: the PyTorch model.
        keras_run: its calls.
        torch_run: its calls in its own course.
        alignment: which call is which.
    """

    keras: Side
    torch: Side
    keras_run: Run
    torch_run: Run
    alignment: Alignment
    compared: list[Compared] = field(default_factory=list)
    parted: list[Divergence] = field(default_factory=list)
    causes: list[Cause] = field(default_factory=list)
    latent: list[Cause] = field(default_factory=list)

    def compare(
        self, inputs: Sequence[np.ndarray], torch_inputs: Sequence[np.ndarray] | None
    ) -> None:
        """Every pair, the PyTorch model fed Keras's output behind each layer that was compared."""
        fed = fused(self.torch.run(inputs, torch_inputs, given=self._given()).calls)
        misfits = []
        for k, ran in self.alignment.pairs:
            t = fed[ran.number]
            observed = distance(k.output, as_keras(t.output, k.output, k))
            if observed > ALLOWED.limit:
                away = self._inputs_apart(k, t)
                if away <= ALLOWED.limit:
                    named = self._own(k, t, as_keras(t.output, k.output, k), observed)
                else:
                    self._part(k, t, "input", away)
                    forced = self._forced(k, t)
                    left = observed if forced is None else distance(k.output, forced)
                    named = []
                    if forced is not None and left > ALLOWED.limit:
                        named = self._own(k, t, forced, left)
                        proofs = [one.proof.after for one in named if one.proof]
                        left = max(proofs, default=0.0)
                    misfits.append(Misfit(k, t, away, left))
            else:
                named = []
            self.latent += diagnosis.latent(k, t, {cause.id for cause in named})
            self._note(k, ran, observed)
        self.causes += structure.causes_of(
            misfits, self.alignment, self.keras_run.calls, fed, self.keras.flavour
        )
        places = {call.name: call.number for call in reversed(self.keras_run.calls)}
        self.causes.sort(key=lambda cause: places.get(cause.layer, len(places)))

    def _given(self) -> dict[int, np.ndarray]:
        """What PyTorch's calls shall hand on: Keras's outputs, in their own shapes."""
        return {
            t.number: k.output.reshape(t.output.shape)
            for k, t in self.alignment.pairs
            if k.output.size == t.output.size
        }

    def _inputs_apart(self, k: Call, t: Call) -> float:
        if len(k.inputs) != len(t.inputs):
            return float("inf")
        both = zip(k.inputs, t.inputs, strict=True)
        return max((distance(own, as_keras(other, own, k)) for own, other in both), default=0.0)

    def _forced(self, k: Call, t: Call) -> np.ndarray | None:
        """What PyTorch's layer gives for Keras's input; None where it cannot take it."""
        if [one.shape for one in k.inputs] != [one.shape for one in t.inputs]:
            return None
        values: Sequence[np.ndarray] = k.inputs
        for part in t.parts:
            values = [self.torch.replay(part, values)]
        return as_keras(values[0], k.output, k)

    def _own(self, k: Call, t: Call, forced: np.ndarray, observed: float) -> list[Cause]:
        """Causes within the layer; none where only constants are rounded otherwise."""
        flattened = self._flattened(k)
        named = diagnosis.causes_of(k, t, k.inputs, forced, self.keras.flavour, flattened)
        if named:
            self._part(k, t, "output", observed)
            self.causes += named
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
        self.parted.append(
            Divergence("forward_eval", k.name, t.name, tensor, observed, ALLOWED.limit)
        )

    def _note(self, k: Call, t: Call, observed: float) -> None:
        ran = distance(k.output, as_keras(t.output, k.output, k))
        names = f"{k.name} ({k.kind})", f"{t.name} ({t.kind})"
        self.compared.append(Compared(*names, observed, ALLOWED.limit, ran))

    def outputs(self) -> list[Divergence]:
        """Outputs of the models that stand apart, in their own course.

        Raises:
            ParityError: there are not as many of either.
        """
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

    def unexplained(self, parted: Divergence) -> Cause:
        """For a divergence that no layer shows."""
        proof = Proof(parted.observed, parted.observed)
        return Cause(UNKNOWN, parted.name, "", "", proof)
