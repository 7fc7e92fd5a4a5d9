"""The forward pass in training: the same numbers drawn on both sides, every pair fed alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from parity.adapters.calls import Call, Run, leading
from parity.adapters.trainer import Batch, KerasTrainer, TorchTrainer, as_outputs
from parity.constants import as_float32
from parity.errors import ParityError
from parity.numerics import tolerance
from parity.numerics.arrays import distance
from parity.pairs.align.fusion import fused_run
from parity.pairs.align.match import Alignment, align
from parity.pairs.align.tensors import as_keras, as_torch, inputs_apart
from parity.pairs.causes import batch_norm, dropout, layer
from parity.pairs.causes.dropout import NOISE
from parity.pairs.training import match_draws
from parity.verdict.result import UNKNOWN, Cause, Divergence, Proof

LIMIT = tolerance.FLOAT64["forward_train"].limit
TURNED = 16
"""Masks written by hand whose directions are tried one by one; each takes two more runs."""

FUSED = (
    "Batch normalisation of images follows Keras 2's float32 kernel in float64 too: its running "
    "variance is unbiased."
)


@dataclass
class Forward:
    """What the training pass shows.

    Attributes:
        k, t: the two sides.
        batch: what they are called with.
        flavour: the Keras.
        seed: of what dropout draws.
        known: Keras layers that differ in evaluation already.
        parted, causes, notes: what was found.
        keras_run, torch_run, alignment: the runs with the same draws.
    """

    k: KerasTrainer
    t: TorchTrainer
    batch: Batch
    flavour: str
    seed: int
    known: set[str]
    parted: list[Divergence] = field(default_factory=list)
    causes: list[Cause] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    keras_run: Run = field(init=False)
    torch_run: Run = field(init=False)
    alignment: Alignment = field(init=False)
    drawn: dict[int, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def compare(self, layer_map: Mapping[str, str] | None = None) -> None:
        """Run both with the same draws; where outputs part, every pair is fed alike."""
        self.run(layer_map)
        self.tell()
        if self._outputs_apart() <= LIMIT:
            return
        as_it_is = len(self._failing())
        self.t.rounded = True
        self._run_again()
        if self._outputs_apart() <= LIMIT:
            return
        failing = self._failing()
        if as_it_is <= len(failing):
            self.t.rounded = False
            self._run_again()
            failing = self._failing()
        for k, t in failing:
            self._layer(k, t)
        self._tell_masks()
        self._tell_own_draws()
        if not self.parted:
            ends = [next(iter(run.outputs)) for run in (self.keras_run, self.torch_run)]
            self._part(ends[0], ends[1], "output", self._outputs_apart())

    def run(self, layer_map: Mapping[str, str] | None = None) -> None:
        """Run both with the same draws, and constants that Keras rounds rounded on both sides."""
        self._run()
        self.alignment = align(self.keras_run.calls, self.torch_run.calls, layer_map)
        changed = self._round_constants()
        self._share_draws()
        if changed or self.k.names or self.t.names:
            self._run_again()
        if self.t.given:
            self._turn_draws()

    def _turn_draws(self) -> None:
        """Code keeps what a number is above, or below: whichever comes closer to Keras's."""
        places = [*self.t.given]
        dtype = str(as_outputs(self.keras_run)[0].dtype)
        for turned in ({*places}, set[int]()):
            self.t.turned = turned
            self._run_again()
            if self._outputs_apart() <= dropout.LIMITS.get(dtype, LIMIT):
                return
        if len(places) > TURNED:
            return
        least = self._off()
        for place in places:
            before, self.t.turned = self.t.turned, self.t.turned ^ {place}
            self._run_again()
            off = self._off()
            if off < least:
                least = off
            else:
                self.t.turned = before
        self._run_again()

    def _off(self) -> float:
        """How far layers that are fed alike stand apart, all together."""
        return sum(min(max(inputs_apart(k, t), _own_apart(k, t)), 1.0) for k, t in self._failing())

    def _run(self) -> None:
        self.keras_run = fused_run(self.k.run(self.batch, 0))
        self.torch_run = self._ran({})
        self._count("keras", self.keras_run)

    def _count(self, side: str, run: Run) -> None:
        """Refuse a model that skips layers by chance.

        Raises:
            ParityError: it has called more layers at first, or fewer.
        """
        now = len(run.calls)
        first = self.counts.setdefault(side, now)
        if first != now:
            raise ParityError(
                f"{side}_model: received one that calls {first} layers in training and {now} the "
                "next time, accepted: one that always calls the same, such as with a layerdrop of 0"
            )

    def _ran(self, given: Mapping[int, np.ndarray]) -> Run:
        """PyTorch's run, where these calls hand on what is given."""
        run = self.t.run(self.batch, 0, given)
        self._count("torch", run)
        facing = run.facing(self.keras_run)
        own, other = self.keras_run.lying, run.lying  # channels first, both of them
        self.t.lying = [
            facing.outputs[t] is not run.outputs[t] or (k in own and t in other)
            for k, t in zip(self.keras_run.outputs, run.outputs, strict=False)
        ]
        return fused_run(facing)

    def _run_again(self) -> None:
        self.keras_run.forget()
        self.torch_run.forget()
        self._run()
        self.alignment = self.alignment.of(self.keras_run, self.torch_run)

    def _outputs_apart(self) -> float:
        both = zip(as_outputs(self.keras_run), as_outputs(self.torch_run), strict=False)
        return max(distance(own, other) for own, other in both)

    def tell(self) -> None:
        """Note what draws numbers that cannot be shared, and what follows float32."""
        for side, trainer in (("Keras", self.k), ("PyTorch", self.t)):
            if trainer.unshared:
                names = ", ".join(trainer.unshared)
                self.notes.append(f"{side} draws numbers of its own in training: {names}")
        images = [k for k, _ in self.alignment.pairs if k.layer == "BatchNormalization"]
        if self.flavour == "tf_keras" and any(k.inputs[0].ndim == 4 for k in images):
            self.notes.append(FUSED)

    def _tell_own_draws(self) -> None:
        """Note the first call on either side that gives something else when it is run again."""
        for side, trainer, run in (
            ("Keras", self.k, self.keras_run),
            ("PyTorch", self.t, self.torch_run),
        ):
            again = fused_run(trainer.run(self.batch, 0)).calls
            both = zip(run.calls, again, strict=False)
            moved = (one.name for one, other in both if distance(one.output, other.output) > LIMIT)
            name = next(moved, None)
            if name is not None and not trainer.unshared:
                self.notes.append(
                    f"{side} draws numbers of its own in training, which cannot be shared: {name} "
                    "gives something else each time"
                )

    def _by_hand(self) -> set[str]:
        """What masks draw that PyTorch's code writes."""
        return {self.t.names[place] for place in self.t.given}

    def _tell_masks(self) -> None:
        """Note whose masks PyTorch's code draws by hand: no layer that could be looked at."""
        by_hand = self._by_hand()
        calls = self.keras_run.calls
        names = [calls[number].name for number, one in self.drawn.items() if one in by_hand]
        if names:
            self.notes.append(
                f"PyTorch's code draws masks by hand, with the numbers of {', '.join(names)}: what "
                "is not explained behind them may be theirs"
            )

    def _failing(self) -> list[tuple[Call, Call]]:
        """Layers that answer for themselves and are not fed alike, or give something else.

        PyTorch's model runs on with what Keras's layers gave. What leads to a layer that is not fed
        alike answers for itself as well.
        """
        heavy = {k.number for k, _ in self.alignment.pairs if k.anchor or k.layer in NOISE}
        found = self._fed_alike(heavy)
        calls = self.keras_run.calls
        light = {
            one for k, t in found if inputs_apart(k, t) > LIMIT for one in leading(k.sources, calls)
        }
        return self._fed_alike(heavy | light) if light - heavy else found

    def _fed_alike(self, numbers: set[int]) -> list[tuple[Call, Call]]:
        given = {}
        pairs = [pair for pair in self.alignment.pairs if pair[0].number in numbers]
        for k, t in pairs:
            value = as_torch(k.output, t.output, k)
            if value is not None:
                given[t.number] = value
        calls = self._ran(given).calls
        fed = [(k, dropout.facing(k, calls[t.number])) for k, t in pairs]
        return [(k, t) for k, t in fed if max(inputs_apart(k, t), _own_apart(k, t)) > LIMIT]

    def _layer(self, k: Call, t: Call) -> None:
        apart = inputs_apart(k, t)
        if apart > LIMIT:
            self._between(k, t, apart)
            return
        forced = as_keras(t.output, k.output, k)
        away = distance(k.output, forced)
        causes: list[Cause] | None = None
        if not k.anchor and k.layer not in NOISE:
            causes = layer.causes_of(k, t, k.inputs, forced, self.flavour)
            if not causes:
                return  # its constants are rounded otherwise, and no more
        self._part(k.name, t.name, "output", away)
        if k.name in self.known:
            return
        if {k.layer, t.layer} <= set(NOISE) and k.number in self.drawn:
            draw = (self.seed, self.drawn[k.number])
            self.causes += dropout.causes_of(k, t, forced, draw, LIMIT)
        elif k.layer == t.layer == "BatchNormalization":
            first = {name: self.k.first_of((k.name, name)) for name in k.weights}
            self.causes += batch_norm.norm_causes(k, t, forced, first, self.flavour, LIMIT)
        elif causes and causes[0].id != UNKNOWN:
            self.causes += [replace(one, rung="forward_train") for one in causes]
        else:
            self._unknown(k, t, away)

    def _between(self, k: Call, t: Call, apart: float) -> None:
        """What only one side has stands between, and acts in training alone."""
        self._part(k.name, t.name, "input", apart)
        if k.name in self.known:
            return
        lone = self._lone()
        after = self._without(lone, k, t) if lone else apart
        if not after <= LIMIT:
            self._unknown(k, t, apart)
            return
        for one, (own, other) in lone:
            self.known.add(one.name)
            name, proof = dropout.strength_id(one), Proof(apart, after)
            self.causes.append(Cause(name, one.name, own, other, proof, "forward_train"))

    def _lone(self) -> list[tuple[Call, tuple[Any, Any]]]:
        """Dropout and noise that only one side has, with the rates of both."""
        by_hand = self._by_hand()
        alone = self.alignment.keras_only, self.alignment.torch_only
        return [
            (one, (dropout.strength(one), "none") if side == 0 else ("none", dropout.strength(one)))
            for side, calls in enumerate(alone)
            for one in calls
            if one.layer in NOISE and one.name not in self.known and dropout.strength(one)
            if side == 1 or self.drawn.get(one.number) not in by_hand
        ]

    def _without(self, lone: Sequence[tuple[Call, tuple[Any, Any]]], k: Call, t: Call) -> float:
        """How far two layers' inputs stand apart where those change nothing."""
        names = self.k.names, self.t.names
        for trainer, other in ((self.k, 1), (self.t, 0)):
            gone = {call.number for call, values in lone if values[other] == "none"}
            both = zip(trainer.names, trainer.random_calls, strict=False)
            trainer.names = ["" if number in gone else name for name, number in both]
        self._run_again()
        after = {(one.name, other.name): (one, other) for one, other in self._failing()}
        self.k.names, self.t.names = names
        self._run_again()
        left = after.get((k.name, t.name))
        return inputs_apart(*left) if left else 0.0

    def _round_constants(self) -> bool:
        """A PyTorch float that is Keras's once rounded to float32 is the same constant.

        Returns:
            Whether any was another before.
        """
        changed = False
        for k, t in self.alignment.pairs:
            if type(k.config) is not type(t.config):
                continue
            values: dict[str, float] = {}
            for name in ("epsilon", "negative_slope"):
                own, other = (getattr(one.config, name, None) for one in (k, t))
                if not (isinstance(own, float) and isinstance(other, float)):
                    continue
                if as_float32(own) == as_float32(other):
                    values[name] = own if name == "epsilon" else as_float32(own)
            if k.layer == "BatchNormalization":
                own = batch_norm.share(k.config, self.flavour)
                if as_float32(own) == as_float32(1.0 - t.config.momentum):
                    values["momentum"] = own
            if values:
                changed |= self.t.take(t.name, values)
        return changed

    def _share_draws(self) -> None:
        """The same name for calls that belong together."""
        self.drawn |= match_draws.share(self.k, self.t, self.alignment, len(self.keras_run.calls))

    def _part(self, keras: str, torch: str, tensor: str, away: float) -> None:
        rung = "forward_train"
        self.parted.append(Divergence(rung, keras, torch, tensor, away, LIMIT))

    def _unknown(self, k: Call, t: Call, away: float) -> None:
        """What is not explained; where evaluation differs already, that is to be mended first."""
        if self.known:
            return
        proof = Proof(away, away)
        self.causes.append(Cause(UNKNOWN, k.name, k.kind, t.kind, proof, "forward_train"))


def _own_apart(k: Call, t: Call) -> float:
    return distance(k.output, as_keras(t.output, k.output, k))
