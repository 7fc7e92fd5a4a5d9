"""Compares optimizer steps: with each model's own gradients, then with Keras's in both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from parity.adapters.calls import Call
from parity.adapters.trainer import Batch, KerasTrainer, Key, TorchTrainer, Trainer
from parity.numerics import tolerance
from parity.numerics.distance import largest_entry, relative_error
from parity.pairs.causes import batch_norm, latent, states
from parity.pairs.causes.training import optimizer
from parity.pairs.training.gradients import sizes_of
from parity.verdict.model_pair import ModelPair, Observation
from parity.verdict.null_gradients import negligible
from parity.verdict.result import UNKNOWN, Cause, Check, Findings, Proof, compared_rung

Keys = Sequence[tuple[Key, Key]]
LIMITS = {rung: tolerance.FLOAT64[rung].limit for rung in ("step", "steps")}

ROUNDING = (
    "After the steps the weights differ by {:.1e}: the optimizer amplifies rounding errors of the "
    "gradients that much. With the same gradients both optimizers give the same weights."
)
"""Adam divides a gradient by its own size, which is near zero after batch norm of few values."""


def compare(
    k: KerasTrainer,
    t: TorchTrainer,
    batch: Batch,
    keys: Keys,
    pairs: Mapping[str, tuple[Call, Call]],
    explained: set[str],
    count: int,
    flavour: str,
    diverged: bool,
    shared_gradients: bool = True,
) -> Findings:
    """Train both models, compare them after the first and the last step, and find causes.

    Args:
        k: the Keras trainer.
        t: the PyTorch trainer.
        batch: the batch of every step.
        keys: the weights that both models have.
        pairs: the two calls in training mode before any step, by Keras layer.
        explained: Keras layers that already have a cause, so that their statistics differ too.
        count: number of steps.
        flavour: the Keras version.
        diverged: whether an earlier rung differs, so that a step may differ without a new cause.
        shared_gradients: whether both optimizers do the same with the same gradients; they do not
            where one of them applies the other model's penalties on weights.
    """
    checks = with_own_gradients(k, t, batch, keys, floors(pairs), count)
    divergences = [one for one in checks if not one.ok]
    causes: list[Cause] = []
    notes: tuple[str, ...] = ()
    if divergences:
        causes += _statistics(k, t, batch, keys, pairs, flavour, explained)
        causes += _optimizers(k, t, batch, keys, pairs, count) if shared_gradients else []
        causes += states.causes_of(k, t, batch) if count > 1 else []
        largest = max(one.observed for one in divergences)
        if not causes and largest <= tolerance.MOST_ROUNDING:
            notes, divergences = (ROUNDING.format(largest),), []
            checks = [_explained(one) for one in checks]
    named = {cause.id for cause in causes}
    found = latent.causes(k, t, keys) if shared_gradients else []
    hidden = tuple(one for one in found if one.id not in named)
    if divergences and not causes and not diverged:
        one = divergences[0]
        proof = Proof(one.observed, one.observed)
        layer = one.keras_layer or ""
        causes.append(Cause(UNKNOWN, layer, one.tensor, one.tensor, proof, one.rung))
    rungs = tuple(
        compared_rung(name, [one for one in checks if one.rung == name])
        for name in dict.fromkeys(one.rung for one in checks)
    )
    return Findings(rungs, tuple(causes), hidden, notes, tuple(checks))


def _explained(check: Check) -> Check:
    """The check with the tolerance of rounding that an optimizer amplifies."""
    if check.ok:
        return check
    reason = "the same gradients give the same weights: the optimizer amplifies their rounding"
    return replace(check, allowed=tolerance.MOST_ROUNDING, reason=reason, override=True)


def _started(k: Trainer, t: Trainer) -> None:
    k.start()
    t.start()


def floors(pairs: Mapping[str, tuple[Call, Call]]) -> dict[Key, float]:
    """The smallest scale for the error of a running mean: its share of the largest input.

    After an earlier norm the mean is zero except for rounding errors, which have that scale.
    """
    return {
        (name, "moving_mean"): (1.0 - k.config.momentum) * float(np.abs(k.inputs[0]).max())
        for name, (k, _) in pairs.items()
        if k.layer == "BatchNormalization"
    }


def _error(expected: np.ndarray, actual: np.ndarray, floor: float) -> float:
    """The relative error, relative to ``floor`` if no entry is as large."""
    scale = max(largest_entry(expected), largest_entry(actual))
    error = relative_error(expected, actual)
    return error * scale / floor if scale < floor else error


def _weight_errors(
    k: Trainer, t: Trainer, keys: Keys, floors: Mapping[Key, float]
) -> dict[tuple[Key, Key], float]:
    expected, actual = k.weights(), t.weights()
    return {(a, b): _error(expected[a], actual[b], floors.get(a, 0.0)) for a, b in keys}


def with_own_gradients(
    k: KerasTrainer,
    t: TorchTrainer,
    batch: Batch,
    keys: Keys,
    floors: Mapping[Key, float],
    count: int,
) -> list[Check]:
    """The checks of the weights; gradients that are rounding on both sides are set to zero."""
    _started(k, t)
    observed, found = ModelPair("float64", count), []

    def compare(rung: str, step: int) -> None:
        if k.loss_in_float32 or t.loss_in_float32:
            observed.least = tolerance.LOSS_IN_FLOAT32
        own, other = k.weights(), t.weights()
        for a, b in keys:
            one = Observation(
                rung,
                f"weights/{'/'.join(a)}",
                "weight",
                (a[0], b[0]),
                step,
                floors.get(a, 0.0),
            )
            found.append(observed.compare(one, own[a], other[b]))

    for step in range(count):
        _, own = k.gradients(batch, step)
        _, other = t.gradients(batch, step)
        null = negligible(sizes_of(own), sizes_of(other), keys)
        names = {torch_key for key, torch_key in keys if key in null}
        t.take_rate(k.rate())
        k.apply({key: np.zeros_like(g) if key in null else g for key, g in own.items()})
        t.apply({key: np.zeros_like(g) if key in names else g for key, g in other.items()})
        if step == 0:
            compare("step", 1)
    if count > 1:
        compare("steps", count)
    return found


def _with_keras_gradients(
    k: KerasTrainer,
    t: TorchTrainer,
    batch: Batch,
    keys: Keys,
    count: int,
    wanted: Mapping[Key, Key] | None = None,
) -> tuple[dict[tuple[Key, Key], float], dict[Key, list[optimizer.StepInput]]]:
    """Errors of the trained weights, and the inputs of each step for the weights of ``wanted``.

    Args: as in :func:`compare`; ``wanted`` maps a Keras key to the PyTorch key.
    """
    _started(k, t)
    kept: dict[Key, list[optimizer.StepInput]] = {key: [] for key in wanted or {}}
    trained: set[Key] = set()
    for step in range(count):
        _, own = k.gradients(batch, step)
        t.take_rate(k.rate())
        norm = float(np.sqrt(sum(np.vdot(one, one) for one in own.values())))
        for key, torch_key in (wanted or {}).items():
            kept[key].append(optimizer.StepInput(own[key], norm, (k.rate(), t.rate_of(torch_key))))
        k.apply(own)
        t.apply({torch_key: own[key] for key, torch_key in keys if key in own})
        trained |= own.keys()
    errors = _weight_errors(k, t, keys, {})
    return {pair: one for pair, one in errors.items() if pair[0] in trained}, kept


def _optimizers(
    k: KerasTrainer,
    t: TorchTrainer,
    batch: Batch,
    keys: Keys,
    pairs: Mapping[str, tuple[Call, Call]],
    count: int,
) -> list[Cause]:
    """Why the optimizers give different weights for the same gradients."""
    causes: list[Cause] = []
    double: dict[tuple[Key, Key], float] = {}
    errors, _ = _with_keras_gradients(k, t, batch, keys, 1)
    rung, done = "step", 1
    if count > 1 and all(one <= LIMITS["step"] for one in errors.values()):
        errors, _ = _with_keras_gradients(k, t, batch, keys, count)
        rung, done = "steps", count
    limit = LIMITS[rung]
    if any(errors.get(pair, 0.0) > limit for pair in keys if pair[1] in t.second_biases()):
        second = t.second_biases()
        double = {pair: errors[pair] for pair in keys if pair in errors and pair[1] in second}
        t.freeze_second_biases()
        errors, _ = _with_keras_gradients(k, t, batch, keys, done)
    worst: dict[str, tuple[Key, Key]] = {}
    for pair, one in sorted(errors.items(), key=lambda item: -item[1]):
        if one > limit and not t.frozen(pair[1]):
            worst.setdefault(str(t.settings_of(pair[1])), pair)
    remaining = [pair for pair in double if errors[pair] > limit]
    chosen = dict([*worst.values(), *remaining])
    after = {pair: errors[pair] for pair in double}
    named = _updates(k, t, batch, keys, chosen, rung, done)
    if rung == "step" and count > 1 and named:  # a schedule shows later
        later = _updates(k, t, batch, keys, chosen, "steps", count)
        first, every = ({cause.id for _, cause in one} for one in (named, later))
        if first <= every:
            named += [(key, cause) for key, cause in later if cause.id not in first]
    for key, cause in named:
        pair = key, chosen[key]
        if cause.id != UNKNOWN and cause.proof and pair in after and cause.rung == rung:
            after[pair] = cause.proof.after
        if cause.id not in {one.id for one in causes}:
            causes.append(cause)
    for (key, torch_key), before in double.items():
        if before > limit and after[key, torch_key] <= limit:
            kind = "simple_rnn" if pairs[key[0]][0].layer == "SimpleRNN" else "lstm"
            proof = Proof(before, after[key, torch_key])
            name = f"{kind}.two_biases"
            causes.append(Cause(name, key[0], "one bias", "two biases", proof, rung))
    return causes


def _updates(
    k: KerasTrainer,
    t: TorchTrainer,
    batch: Batch,
    keys: Keys,
    chosen: Mapping[Key, Key],
    rung: str,
    count: int,
) -> list[tuple[Key, Cause]]:
    """Why some weights differ after ``count`` steps with the same gradients, by Keras's key."""
    start = {key: value for key, value in _first(k, t).items() if key in chosen}
    _, inputs = _with_keras_gradients(k, t, batch, keys, count, chosen)
    found = []
    for key, torch_key in chosen.items():
        own, other = k.weights()[key], t.weights()[torch_key]
        update = optimizer.Update(key[0], start[key], inputs[key], own, other, rung, LIMITS[rung])
        causes = optimizer.causes_of(update, k.settings_of(key), t.settings_of(torch_key))
        found += [(key, cause) for cause in causes]
    return found


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
    explained: set[str],
) -> list[Cause]:
    """Why the running statistics of batch norms differ after the first step."""
    least = floors(pairs)
    first = _first(k, t)
    k.gradients(batch, 0)
    t.gradients(batch, 0)
    own, other = k.weights(), t.weights()
    causes: list[Cause] = []
    for key, torch_key in keys:
        calls = pairs.get(key[0])
        if key[1] not in batch_norm.STATISTICS or calls is None or key[0] in explained:
            continue
        after = own[key], other[torch_key]
        if (
            _error(*after, least.get(key, 0.0)) <= LIMITS["step"]
            or calls[0].layer != calls[1].layer
        ):
            continue
        for cause in batch_norm.statistics_causes(
            *calls, key[1], first[key], after, flavour, LIMITS["step"]
        ):
            if (cause.id, cause.layer) not in {(one.id, one.layer) for one in causes}:
                causes.append(cause)
    return causes
