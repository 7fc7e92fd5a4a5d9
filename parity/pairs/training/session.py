"""A pair being trained: forward, loss, gradients, optimizer, each fed alike; then as they run.

Both draw the same numbers for dropout. A gradient is held against Keras's from the loss backwards;
PyTorch's optimizer is given Keras's gradients, so that it answers for itself alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from parity.adapters.side import Side
from parity.adapters.trainer import Batch, KerasTrainer, Key, TorchTrainer, as_they_lie
from parity.constants import as_float32
from parity.numerics import tolerance
from parity.pairs import allowance
from parity.pairs.causes import loss as loss_causes
from parity.pairs.causes.gradients import Backwards
from parity.pairs.causes.graph import NOTHING
from parity.pairs.forward import float32_islands
from parity.pairs.training import float32_islands as training_float32_islands
from parity.pairs.training import gradients, steps
from parity.pairs.training.forward import Forward
from parity.pairs.training.result import Training
from parity.pairs.training.setup import count_in, refuse_targets, trainers
from parity.progress import Progress
from parity.verdict.result import UNKNOWN, Cause, Divergence, Proof

LIMITS = {rung: row.limit for rung, row in tolerance.FLOAT64.items()}


def train_findings(
    keras: Side,
    torch: Side,
    batch: Batch,
    loss: Any,
    optimizer: Any = None,
    *,
    count: int = 10,
    seed: int = 0,
    layer_map: Mapping[str, str] | None = None,
    known: Iterable[str] = (),
) -> Training:
    """Train both sides' models and compare them rung by rung; the models end as they began.

    Args:
        keras: the Keras side, which has run, its weights as they shall be compared.
        torch: the PyTorch side, likewise.
        batch: what every step is trained with.
        loss: a Keras loss or its name, which both get; or two: Keras's and a callable of
            (outputs, targets).
        optimizer: a Keras optimizer or its name, which both get; or two: Keras's and a function of
            the parameters. None: no steps.
        count: optimizer steps.
        seed: of what dropout draws.
        layer_map: see :func:`parity.pairs.check.check`.
        known: Keras layers that differ in evaluation already, and are not looked into again.

    Raises:
        ParityError: an argument cannot be used, or a loss cannot be had.
    """
    k, t = trainers(keras, torch, loss, optimizer, seed)
    result = Training()
    try:
        with Progress("training", 2 if optimizer is None else 3) as progress:
            seen = Forward(k, t, batch, keras.flavour, seed, set(known))
            seen.compare(layer_map)
            refuse_targets(k, batch, seen.keras_run)
            progress.advance("forward")
            held = count_in(keras, torch, k, t, seen.alignment)
            for call in (*seen.keras_run.calls, *seen.torch_run.calls):
                if call.layer != "BatchNormalization":  # whose statistics are looked at again
                    call.forget()
            keras.forget()
            torch.forget()
            result = Training(seen.parted, seen.causes, [], seen.notes, ["forward_train"])
            found = _Ladder(keras, torch, k, t, batch, seen, held, result)
            found.gradients()
            progress.advance("gradients")
            if optimizer is not None and "loss" in result.rungs:
                found.steps(count)
                progress.advance("steps")
    finally:
        k.start()
        t.start()
    return result


@dataclass
class _Ladder:
    """The rungs behind the forward pass."""

    keras: Side
    torch: Side
    k: KerasTrainer
    t: TorchTrainer
    batch: Batch
    seen: Forward
    held: Sequence[tuple[Key, Key]]
    result: Training

    def _loss(self, own: float, ran: float) -> None:
        """Keras's own against PyTorch's of Keras's outputs.

        Args:
            own: Keras's as it ran, without penalties: behind a softmax it may go back to logits.
            ran: PyTorch's of its own outputs.
        """
        outputs, limit = as_they_lie(self.seen.keras_run), LIMITS["loss"]
        other = self.t.loss_of(outputs, self.batch)
        away = loss_causes.apart(own, other)
        if min(away, loss_causes.apart(own, ran)) <= limit:
            return
        self._part("loss", "loss", "loss", "loss", away, limit)
        if len(outputs) > 1 or len(self.batch.targets) > 1:
            proof = Proof(away, away)
            self.result.causes.append(Cause(UNKNOWN, "loss", own, other, proof, "loss"))
            return
        probes = [(self.batch.targets[0], outputs[0], own, other)]
        for turn in (1, len(outputs[0]) // 2):
            target = np.roll(self.batch.targets[0], turn, 0)
            turned = replace(self.batch, targets=[target])
            total, _ = self.k.gradients(turned, 0)
            values = total - self.k.penalty(), self.t.loss_of(outputs, turned)
            probes.append((target, outputs[0], *values))
        self.k.start()
        given = self.k.loss_settings
        smoothing = float(given.values.get("label_smoothing", 0.0)) if given else 0.0
        smoothings = (smoothing, as_float32(smoothing), 0.1)
        self.result.causes += loss_causes.causes_of(probes, smoothings, limit)

    def gradients(self) -> None:
        """Of every weight that both have, from the loss backwards."""
        keys = self.keys()
        parts = gradients.parts(keys, self.k.weights())
        moved = training_float32_islands.moved_by(self.keras, self.k, self.batch, parts)
        if moved > tolerance.FLOAT32_FLOOR:
            reason = (
                f"{float32_islands.ID}: Keras's model computes in float32, and its loss and "
                f"gradients differ by {moved:.1g} in float64, more than rounding explains"
            )
            self.result.missing |= dict.fromkeys(("loss", "gradients", "step", "steps"), reason)
            return
        found = gradients.compare(self.k, self.t, self.batch, parts)
        own_loss, other_loss = found.losses
        self._loss(own_loss - self.k.penalty(), other_loss)
        self._penalty(own_loss, other_loss)
        self.result.rungs.append("loss")
        if self.result.parted:  # gradients of other losses differ for no reason of their own
            before = "losses" if self.result.parted[-1].rung == "loss" else "outputs in training"
            self.result.missing["gradients"] = f"the {before} differ"
            return
        self.result.rungs.append("gradients")
        null = allowance.negligible(*found.sizes, keys)
        limit_of = allowance.limits(self.torch, self.t, self.batch)
        for key, theirs in reversed(keys):
            if key in null or (key not in found.sizes[0] and theirs not in found.sizes[1]):
                continue
            away = found.away.get((key, theirs), float("inf"))
            limit = limit_of(theirs, away)
            if away > limit:
                self._part("gradients", key[0], theirs[0], key[1], away, limit)
        if self.result.parted:
            _, own = self.k.gradients(self.batch, 0)
            back = Backwards(self.torch, self.k, self.t, self.batch, keys, own)
            self.result.causes += back.causes(self.result.parted)

    def _penalty(self, own: float, other: float) -> None:
        """Keras adds penalties on weights to the loss; PyTorch's loss has to do it itself."""
        penalty, limit = self.k.penalty(), LIMITS["loss"]
        away = loss_causes.apart(own, other)
        if away <= limit or self.result.parted:
            return
        self._part("loss", "loss", "loss", "loss", away, limit)
        after = loss_causes.apart(own, other + penalty)
        if not penalty or after > limit:
            cause = Cause(UNKNOWN, "loss", own, other, Proof(away, away), "loss")
        else:
            name, factors = _penalties(self.k.penalties())
            cause = Cause(name, "loss", factors, NOTHING, Proof(away, after), "loss")
        self.result.causes.append(cause)

    def keys(self) -> list[tuple[Key, Key]]:
        """Weights that both have, by the names of either side, in Keras's order."""
        return [*self.held, *self.seen.alignment.weights()]

    def steps(self, count: int) -> None:
        """One optimizer step, and more."""
        pairs = {k.name: (k, t) for k, t in self.seen.alignment.pairs}
        settled = {cause.layer for cause in self.result.causes}
        found = steps.compare(
            self.k, self.t, self.batch, self.keys(), pairs, settled, count, self.keras.flavour
        )
        self.result.rungs += found.rungs
        self.result.notes += found.notes
        first = not self.result.parted
        if first or found.causes:
            self.result.parted += found.parted
        self.result.causes += found.causes
        self.result.latent += found.latent
        if first and found.parted and not found.causes:
            one = found.parted[0]
            proof = Proof(one.observed, one.observed)
            self.result.causes.append(
                Cause(UNKNOWN, one.keras_layer or "", one.tensor, one.tensor, proof, one.rung)
            )

    def _part(
        self, rung: str, keras: str, torch: str, tensor: str, away: float, limit: float
    ) -> None:
        self.result.parted.append(Divergence(rung, keras, torch, tensor, away, limit))


def _penalties(penalties: Mapping[str, Mapping[str, Any]]) -> tuple[str, str]:
    """The catalogue's id, and the factors with what they are on."""
    where: dict[str, list[str]] = {}
    for place, config in penalties.items():
        factors = [
            f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in config.items()
            if value
        ]
        if factors:
            where.setdefault(", ".join(factors), []).append(place)
    squares = where and all(
        factors.startswith("l2 ") and not any(one.endswith(".activity") for one in places)
        for factors, places in where.items()
    )
    told = "; ".join(
        f"{factors} on {places[0]}" + (f", {len(places) - 1} more" if places[1:] else "")
        for factors, places in where.items()
    )
    return "l2.factor" if squares else "penalty.missing", told
