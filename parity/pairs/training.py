"""A pair being trained: forward, loss, gradients, optimizer, each fed alike; then as they run.

Both draw the same numbers for dropout. A gradient is held against Keras's from the loss backwards;
PyTorch's optimizer is given Keras's gradients, so that it answers for itself alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from parity import tolerance
from parity.constants import as_float32
from parity.errors import ParityError
from parity.pairs import loss_causes, running, steps
from parity.pairs.align import Alignment, align
from parity.pairs.calls import Call, Run
from parity.pairs.diagnosis import UNKNOWN, Cause, Proof
from parity.pairs.divergence import Divergence, as_keras, distance
from parity.pairs.side import Side
from parity.pairs.trainer import Batch, Key, KerasTrainer, TorchTrainer, as_outputs

LIMITS = {rung: row.limit for rung, row in tolerance.FLOAT64.items()}
NOISE = ("Dropout", "SpatialDropout2D")
FUSED = (
    "Batch normalisation of images follows Keras 2's float32 kernel in float64 too: its running "
    "variance is unbiased."
)


@dataclass
class Training:
    """What training showed, by rung in the ladder's order.

    Attributes:
        parted: where the two part as they run; none: they are the same.
        causes: with their proofs.
        latent: settings that differ without showing.
        notes: sentences about what could not be done.
    """

    parted: list[Divergence] = field(default_factory=list)
    causes: list[Cause] = field(default_factory=list)
    latent: list[Cause] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


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
    if count < 1:
        raise ParityError(f"steps: received {count}, accepted: 1 or more")
    own_loss, other_loss = _two(loss, "loss")
    own_rule, other_rule = _two(optimizer, "optimizer")
    k: KerasTrainer = cast(Any, keras).trainer(own_loss, own_rule, seed)
    if other_loss is None:
        other_loss = k.loss_settings
        k.shared = True
        if other_loss is None:
            raise ParityError(
                f"loss: received {own_loss!r}, accepted: a name, a loss of Keras's own, or two: "
                "(Keras's, PyTorch's)"
            )
    if own_rule is not None and other_rule is None:
        other_rule = k.spec
        if other_rule is None:
            raise ParityError(
                f"optimizer: received {own_rule!r}, accepted: a name, an optimizer of Keras's own "
                "with a constant rate, or two: (Keras's, PyTorch's)"
            )
    t: TorchTrainer = cast(Any, torch).trainer(other_loss, other_rule, seed, keras.flavour)
    outputs = len(keras.run(batch.inputs).outputs) if k.shared else 0
    if outputs and outputs != len(batch.targets):
        raise ParityError(
            f"targets: received {len(batch.targets)}, accepted: {outputs}, one for each output"
        )
    found = _Ladder(keras, k, t, batch, seed, set(known), layer_map)
    try:
        found.forward()
        found.loss()
        found.gradients()
        if own_rule is not None:
            found.steps(count)
    finally:
        k.start()
        t.start()
    return found.result


def _two(given: Any, name: str) -> tuple[Any, Any]:
    if not isinstance(given, (tuple, list)):
        return given, None
    if len(given) != 2:
        raise ParityError(f"{name}: received {len(given)}, accepted: one, or Keras's and PyTorch's")
    return given[0], given[1]


@dataclass
class _Ladder:
    """The rungs, climbed one after the other."""

    side: Side
    k: KerasTrainer
    t: TorchTrainer
    batch: Batch
    seed: int
    known: set[str]
    layer_map: Mapping[str, str] | None
    result: Training = field(default_factory=Training)

    def forward(self) -> None:
        """Both in training mode with the same draws; every pair fed alike."""
        self.keras_run, self.torch_run = self.k.run(self.batch, 0), self.t.run(self.batch, 0)
        self.alignment = align(self.keras_run.calls, self.torch_run.calls, self.layer_map)
        self._round_constants()
        if self._share_draws() or self.rounded:
            self.keras_run, self.torch_run = self.k.run(self.batch, 0), self.t.run(self.batch, 0)
            self.alignment = _anew(self.alignment, self.keras_run, self.torch_run)
        for side, trainer in (("Keras", self.k), ("PyTorch", self.t)):
            if trainer.unshared:
                names = ", ".join(trainer.unshared)
                self.result.notes.append(f"{side} draws numbers of its own in training: {names}")
        images = [k for k, _ in self.alignment.pairs if k.layer == "BatchNormalization"]
        if self.side.flavour == "tf_keras" and any(k.inputs[0].ndim == 4 for k in images):
            self.result.notes.append(FUSED)
        limit = LIMITS["forward_train"]
        outputs = zip(as_outputs(self.keras_run), as_outputs(self.torch_run), strict=False)
        away = max(distance(own, other) for own, other in outputs)
        if away <= limit:
            return
        fed = self.t.run(self.batch, 0, _given(self.alignment)).calls
        for k, t in self.alignment.pairs:
            self._layer(k, fed[t.number])
        if not self.result.parted:
            name = next(iter(self.keras_run.outputs))
            other = next(iter(self.torch_run.outputs))
            self._part("forward_train", name, other, "output", away)

    def _layer(self, k: Call, t: Call) -> None:
        limit = LIMITS["forward_train"]
        apart = _inputs_apart(k, t)
        if apart > limit:
            self._between(k, t, apart)
            return
        forced = as_keras(t.output, k.output, k)
        away = distance(k.output, forced)
        if away <= limit:
            return
        self._part("forward_train", k.name, t.name, "output", away)
        if k.name in self.known:
            return
        if {k.layer, t.layer} <= set(NOISE):
            draw = (self.seed, self.drawn[k.number])
            self.result.causes += running.dropout_causes(k, t, forced, draw, limit)
            return
        proof = Proof(away, away)
        self.result.causes.append(Cause(UNKNOWN, k.name, k.kind, t.kind, proof, "forward_train"))

    def _between(self, k: Call, t: Call, apart: float) -> None:
        """What only one side has stands between, and acts in training alone."""
        self._part("forward_train", k.name, t.name, "input", apart)
        if k.name in self.known:
            return
        lone = self._lone()
        after = self._without(lone, k, t) if lone else apart
        known = after <= LIMITS["forward_train"]
        ident, proof = "dropout.rate" if known else UNKNOWN, Proof(apart, after)
        for one, values in lone if known else [(k, (k.kind, t.kind))]:
            self.known.add(one.name)
            self.result.causes.append(Cause(ident, one.name, *values, proof, "forward_train"))

    def _lone(self) -> list[tuple[Call, tuple[Any, Any]]]:
        """Dropout that only one side has, with the rates of both."""
        alone = self.alignment.keras_only, self.alignment.torch_only
        return [
            (one, (one.config.rate, "none") if side == 0 else ("none", one.config.rate))
            for side, calls in enumerate(alone)
            for one in calls
            if one.layer in NOISE and one.name not in self.known
        ]

    def _without(self, lone: Sequence[tuple[Call, tuple[Any, Any]]], k: Call, t: Call) -> float:
        """How far two layers' inputs stand apart where such dropout keeps everything."""
        names = self.k.names, self.t.names
        for trainer, other in ((self.k, 1), (self.t, 0)):
            gone = {call.number for call, values in lone if values[other] == "none"}
            both = zip(trainer.names, trainer.random_calls, strict=True)
            trainer.names = ["" if number in gone else name for name, number in both]
        keras, torch = self.k.run(self.batch, 0), self.t.run(self.batch, 0)
        given = _given(_anew(self.alignment, keras, torch))
        torch = self.t.run(self.batch, 0, given)
        self.k.names, self.t.names = names
        return _inputs_apart(keras.calls[k.number], torch.calls[t.number])

    def _round_constants(self) -> None:
        """A PyTorch float that is Keras's once rounded to float32 is the same constant."""
        self.rounded = False
        for k, t in self.alignment.pairs:
            if type(k.config) is not type(t.config):
                continue
            values = {}
            for name in ("epsilon", "negative_slope"):
                own, other = getattr(k.config, name, None), getattr(t.config, name, None)
                if isinstance(own, float) and isinstance(other, float):
                    if as_float32(own) == as_float32(other):
                        values[name] = own if name == "epsilon" else as_float32(own)
            if k.layer == "BatchNormalization":
                own = running.share(k.config, self.side.flavour)
                if as_float32(own) == as_float32(1.0 - t.config.momentum):
                    values["momentum"] = own
            if values:
                self.t.take(t.name, values)
                self.rounded = True

    def _share_draws(self) -> bool:
        """The same name for calls that belong together; whether there are any."""
        partners = {t.number: k.number for k, t in self.alignment.pairs}
        self.drawn: dict[int, str] = {}
        for trainer, which in ((self.k, "keras"), (self.t, "torch")):
            names: list[str] = []
            for number in trainer.random_calls:
                own = number if which == "keras" else partners.get(number)
                count = trainer.random_calls[: len(names)].count(number)
                known = own is not None and own < len(self.keras_run.calls)
                names.append(f"pair/{own}/{count}" if known else f"{which}/{len(names)}")
                if which == "keras":
                    self.drawn.setdefault(number, names[-1])
            trainer.names = names
        return bool(self.k.names or self.t.names)

    def loss(self) -> None:
        """Of Keras's outputs, on both sides."""
        outputs = as_outputs(self.keras_run)
        own, other = self.k.loss_of(outputs, self.batch), self.t.loss_of(outputs, self.batch)
        limit = LIMITS["loss"]
        away = loss_causes.apart(own, other)
        if away <= limit:
            return
        self._part("loss", None, None, "loss", away)
        if len(outputs) > 1 or len(self.batch.targets) > 1:
            proof = Proof(away, away)
            self.result.causes.append(Cause(UNKNOWN, "loss", own, other, proof, "loss"))
            return
        probes = [(self.batch.targets[0], outputs[0], own, other)]
        turned = outputs[0][::-1].copy()
        values = (self.k.loss_of([turned], self.batch), self.t.loss_of([turned], self.batch))
        probes.append((self.batch.targets[0], turned, *values))
        given = self.k.loss_settings
        smoothing = float(given.values.get("label_smoothing", 0.0)) if given else 0.0
        self.result.causes += loss_causes.causes_of(
            probes, (smoothing, as_float32(smoothing), 0.1), self.side.flavour, limit
        )

    def gradients(self) -> None:
        """Of every weight that both have, from the loss backwards."""
        own_loss, own = self.k.gradients(self.batch, 0)
        other_loss, other = self.t.gradients(self.batch, 0)
        self._penalty(own_loss, other_loss)
        null = steps.negligible(own, other, self.keys())
        limit = LIMITS["gradients"]
        if self.result.parted:
            return  # gradients of other losses differ for no reason of their own
        frozen: list[tuple[Key, Key, float]] = []
        for key, theirs in reversed(self.keys()):
            if key in null or (key not in own and theirs not in other):
                continue
            if key not in own or theirs not in other:
                away = float("inf")
            else:
                away = distance(own[key], other[theirs])
            if away <= limit:
                continue
            self._part("gradients", key[0], theirs[0], key[1], away)
            if self.k.frozen(key) != self.t.frozen(theirs):
                frozen.append((key, theirs, away))
        if self.result.parted:
            self._gradient_causes(frozen, own)

    def _gradient_causes(
        self, frozen: Sequence[tuple[Key, Key, float]], own: Mapping[Key, np.ndarray]
    ) -> None:
        for key, theirs, _ in frozen:
            self.t.freeze(theirs, self.k.frozen(key))
        _, other = self.t.gradients(self.batch, 0)
        for key, theirs, before in frozen:
            there = (own.get(key), other.get(theirs))
            after = 0.0 if there[0] is None and there[1] is None else float("inf")
            if there[0] is not None and there[1] is not None:
                after = distance(there[0], there[1])
            states = [
                "frozen" if one else "trained"
                for one in (self.k.frozen(key), not self.k.frozen(key))
            ]
            known = after <= LIMITS["gradients"]
            ident = "layer.trainable" if known else UNKNOWN
            proof = Proof(before, after)
            self.result.causes.append(Cause(ident, key[0], *states, proof, "gradients"))
        if not frozen:
            first = self.result.parted[0]
            proof = Proof(first.observed, first.observed)
            name = first.keras_layer or ""
            self.result.causes.append(
                Cause(UNKNOWN, name, first.tensor, first.tensor, proof, "gradients")
            )

    def _penalty(self, own: float, other: float) -> None:
        """Keras adds penalties on weights to the loss; PyTorch's loss has to do it itself."""
        penalty, limit = self.k.penalty(), LIMITS["loss"]
        away = loss_causes.apart(own, other)
        if away <= limit or self.result.parted:
            return
        self._part("loss", None, None, "loss", away)
        after = loss_causes.apart(own, other + penalty)
        known = penalty and after <= limit
        values = (penalty, 0.0) if known else (own, other)
        proof = Proof(away, after if known else away)
        ident = "l2.factor" if known else UNKNOWN
        self.result.causes.append(Cause(ident, "loss", *values, proof, "loss"))

    def keys(self) -> list[tuple[Key, Key]]:
        """Weights that both have, by the names of either side, in Keras's order."""
        return list(
            dict.fromkeys(
                ((k.name, name), (t.name, name))
                for k, t in self.alignment.pairs
                for name in k.weights
                if name in t.weights and k.weights[name].shape == t.weights[name].shape
            )
        )

    def steps(self, count: int) -> None:
        """One optimizer step, and more."""
        pairs = {k.name: (k, t) for k, t in self.alignment.pairs}
        found = steps.compare(
            self.k, self.t, self.batch, self.keys(), pairs, count, self.side.flavour
        )
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
        self, rung: str, keras: str | None, torch: str | None, tensor: str, away: float
    ) -> None:
        self.result.parted.append(Divergence(rung, keras, torch, tensor, away, LIMITS[rung]))


def _given(alignment: Alignment) -> dict[int, np.ndarray]:
    """What PyTorch's calls shall hand on: Keras's outputs, in their own shapes."""
    return {
        t.number: k.output.reshape(t.output.shape)
        for k, t in alignment.pairs
        if k.output.size == t.output.size
    }


def _inputs_apart(k: Call, t: Call) -> float:
    both = zip(k.inputs, t.inputs, strict=False)
    return max((distance(own, as_keras(other, own, k)) for own, other in both), default=0.0)


def _anew(alignment: Alignment, keras: Run, torch: Run) -> Alignment:
    """The same alignment of later runs of the same models."""
    return Alignment(
        tuple((keras.calls[k.number], torch.calls[t.number]) for k, t in alignment.pairs),
        tuple(keras.calls[k.number] for k in alignment.keras_only),
        tuple(torch.calls[t.number] for t in alignment.torch_only),
    )
