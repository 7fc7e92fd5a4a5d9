"""Optimizer steps of a pair: as they run, and PyTorch's optimizer with Keras's gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from parity.adapters.calls import Call
from parity.adapters.trainer import Batch, KerasTrainer, Key, TorchTrainer, Trainer
from parity.numerics import tolerance
from parity.numerics.distance import largest_entry, relative_error
from parity.pairs import allowance
from parity.pairs.allowance import negligible, sizes_of
from parity.pairs.causes import batch_norm, latent, optimizer
from parity.verdict.result import UNKNOWN, Cause, Divergence, Proof

Keys = Sequence[tuple[Key, Key]]
LIMITS = {rung: tolerance.FLOAT64[rung].limit for rung in ("step", "steps")}

ROUNDING = (
    "After the steps weights stand {:.1e} apart: as much as the optimizer makes of what rounding "
    "does to the gradients. Given the same gradients, both move alike."
)
"""Adam divides by the gradient's own size; batch norm over few values hardly has any."""


@dataclass
class Steps:
    """Where weights part by a step, and why; what is left of it, and the rungs compared."""

    parted: list[Divergence] = field(default_factory=list)
    causes: list[Cause] = field(default_factory=list)
    latent: list[Cause] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    rungs: list[str] = field(default_factory=list)


def compare(
    k: KerasTrainer,
    t: TorchTrainer,
    batch: Batch,
    keys: Keys,
    pairs: Mapping[str, tuple[Call, Call]],
    settled: set[str],
    count: int,
    flavour: str,
) -> Steps:
    """Train both by ``count`` steps, compare after the first and the last, and look for causes.

    Args:
        k: Keras's side.
        t: PyTorch's.
        batch: of every step.
        keys: weights that both have.
        pairs: Keras layer to the two calls in training, before any step.
        settled: Keras layers with causes already, whose statistics only follow.
        count: of steps.
        flavour: the Keras.
    """
    apart = _free(k, t, batch, keys, _floors(pairs), count)
    found = Steps(rungs=[*apart])
    for rung, away in apart.items():
        for (key, theirs), observed in away.items():
            limit = LIMITS[rung]
            if not observed <= limit:
                found.parted.append(Divergence(rung, key[0], theirs[0], key[1], observed, limit))
    if found.parted:
        found.causes += _statistics(k, t, batch, keys, pairs, flavour, settled)
        found.causes += _optimizers(k, t, batch, keys, pairs, count)
        farthest = max(one.observed for one in found.parted)
        if not found.causes and farthest <= allowance.MOST:
            found.notes.append(ROUNDING.format(farthest))
            found.parted = []
    named = {cause.id for cause in found.causes}
    found.latent = [one for one in latent.causes(k, t, keys) if one.id not in named]
    return found


def _started(k: Trainer, t: Trainer) -> None:
    k.start()
    t.start()


def _floors(pairs: Mapping[str, tuple[Call, Call]]) -> dict[Key, float]:
    """The least scale of a running mean: its share of the largest entry that is averaged.

    The mean of what an earlier norm has centred is zero but for rounding, of that entry's size.
    """
    return {
        (name, "moving_mean"): (1.0 - k.config.momentum) * float(np.abs(k.inputs[0]).max())
        for name, (k, _) in pairs.items()
        if k.layer == "BatchNormalization"
    }


def _distance(own: np.ndarray, other: np.ndarray, floor: float) -> float:
    """As :func:`relative_error`, relative to ``floor`` where no entry is as large."""
    scale = max(largest_entry(own), largest_entry(other))
    away = relative_error(own, other)
    return away * scale / floor if scale < floor else away


def _apart(
    k: Trainer, t: Trainer, keys: Keys, floors: Mapping[Key, float]
) -> dict[tuple[Key, Key], float]:
    own, other = k.weights(), t.weights()
    return {(a, b): _distance(own[a], other[b], floors.get(a, 0.0)) for a, b in keys}


def _free(
    k: KerasTrainer,
    t: TorchTrainer,
    batch: Batch,
    keys: Keys,
    floors: Mapping[Key, float],
    count: int,
) -> dict[str, dict[tuple[Key, Key], float]]:
    """Each with its own gradients; those that are rounding on both sides are exact zeros."""
    _started(k, t)
    found = {}
    for step in range(count):
        _, own = k.gradients(batch, step)
        _, other = t.gradients(batch, step)
        null = negligible(sizes_of(own), sizes_of(other), keys)
        names = {theirs for key, theirs in keys if key in null}
        t.take_rate(k.rate())
        k.apply({key: np.zeros_like(g) if key in null else g for key, g in own.items()})
        t.apply({key: np.zeros_like(g) if key in names else g for key, g in other.items()})
        if step == 0:
            found["step"] = _apart(k, t, keys, floors)
    if count > 1:
        found["steps"] = _apart(k, t, keys, floors)
    return found


def _forced(
    k: KerasTrainer,
    t: TorchTrainer,
    batch: Batch,
    keys: Keys,
    count: int,
    wanted: Mapping[Key, Key] | None = None,
) -> tuple[dict[tuple[Key, Key], float], dict[Key, list[optimizer.StepInput]]]:
    """Both with Keras's gradients: how far the trained weights part, and what moved those wanted.

    Args: as of :func:`compare`; ``wanted`` by Keras's key to PyTorch's.
    """
    _started(k, t)
    kept: dict[Key, list[optimizer.StepInput]] = {key: [] for key in wanted or {}}
    trained: set[Key] = set()
    for step in range(count):
        _, own = k.gradients(batch, step)
        t.take_rate(k.rate())
        norm = float(np.sqrt(sum(np.vdot(one, one) for one in own.values())))
        for key, theirs in (wanted or {}).items():
            kept[key].append(optimizer.StepInput(own[key], norm, (k.rate(), t.rate_of(theirs))))
        k.apply(own)
        t.apply({theirs: own[key] for key, theirs in keys if key in own})
        trained |= own.keys()
    away = {pair: one for pair, one in _apart(k, t, keys, {}).items() if pair[0] in trained}
    return away, kept


def _optimizers(
    k: KerasTrainer,
    t: TorchTrainer,
    batch: Batch,
    keys: Keys,
    pairs: Mapping[str, tuple[Call, Call]],
    count: int,
) -> list[Cause]:
    """What the optimizers do otherwise with the same gradients."""
    causes: list[Cause] = []
    double: dict[tuple[Key, Key], float] = {}
    away, _ = _forced(k, t, batch, keys, 1)
    rung, done = "step", 1
    if count > 1 and all(one <= LIMITS["step"] for one in away.values()):
        away, _ = _forced(k, t, batch, keys, count)
        rung, done = "steps", count
    limit = LIMITS[rung]
    if any(away.get(pair, 0.0) > limit for pair in keys if pair[1] in t.second_biases()):
        second = t.second_biases()
        double = {pair: away[pair] for pair in keys if pair in away and pair[1] in second}
        t.freeze_second_biases()
        away, _ = _forced(k, t, batch, keys, done)
    worst: dict[str, tuple[Key, Key]] = {}
    for pair, one in sorted(away.items(), key=lambda item: -item[1]):
        if one > limit and not t.frozen(pair[1]):
            worst.setdefault(str(t.settings_of(pair[1])), pair)
    left = [pair for pair in double if away[pair] > limit]
    chosen = dict([*worst.values(), *left])
    start = {key: value for key, value in _first(k, t).items() if key in chosen}
    _, inputs = _forced(k, t, batch, keys, done, chosen)
    after = {pair: away[pair] for pair in double}
    for key, theirs in chosen.items():
        own, other = k.weights()[key], t.weights()[theirs]
        update = optimizer.Update(key[0], start[key], inputs[key], own, other, rung, limit)
        for cause in optimizer.causes_of(update, k.settings_of(key), t.settings_of(theirs)):
            if cause.id != UNKNOWN and cause.proof and (key, theirs) in after:
                after[key, theirs] = cause.proof.after
            if cause.id not in {one.id for one in causes}:
                causes.append(cause)
    for (key, theirs), before in double.items():
        if before > limit and after[key, theirs] <= limit:
            kind = "simple_rnn" if pairs[key[0]][0].layer == "SimpleRNN" else "lstm"
            proof = Proof(before, after[key, theirs])
            name = f"{kind}.two_biases"
            causes.append(Cause(name, key[0], "one bias", "two biases", proof, rung))
    return causes


def _first(k: Trainer, t: Trainer) -> Mapping[Key, np.ndarray]:
    _started(k, t)
    return k.weights()


def _statistics(
    k: Trainer,
    t: Trainer,
    batch: Batch,
    keys: Keys,
    pairs: Mapping[str, tuple[Call, Call]],
    flavour: str,
    settled: set[str],
) -> list[Cause]:
    """What batch norm's running statistics do otherwise in the first step."""
    floors = _floors(pairs)
    first = _first(k, t)
    k.gradients(batch, 0)
    t.gradients(batch, 0)
    own, other = k.weights(), t.weights()
    causes: list[Cause] = []
    for key, theirs in keys:
        calls = pairs.get(key[0])
        if key[1] not in batch_norm.STATISTICS or calls is None or key[0] in settled:
            continue
        after = own[key], other[theirs]
        if (
            _distance(*after, floors.get(key, 0.0)) <= LIMITS["step"]
            or calls[0].layer != calls[1].layer
        ):
            continue
        for cause in batch_norm.statistics_causes(
            *calls, key[1], first[key], after, flavour, LIMITS["step"]
        ):
            if (cause.id, cause.layer) not in {(one.id, one.layer) for one in causes}:
                causes.append(cause)
    return causes
