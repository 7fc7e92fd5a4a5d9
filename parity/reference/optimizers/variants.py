"""Update rules that a PyTorch optimizer of a user's own class may compute."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from parity.reference.formula import Settings
from parity.reference.optimizers.formulas import DECOUPLED, FORMULAS, IN_GRADIENT
from parity.reference.optimizers.moments import Values
from parity.reference.optimizers.settings import of_either, of_torch

CLIP_EPSILON = 1e-6
"""What ``torch.nn.utils.clip_grad_norm_`` adds to the norm."""

CLIPS = ("clipnorm", "global_clipnorm", "clipvalue")


def of(keras: Settings, torch: Settings | None, rates: Sequence[float]) -> Iterator[Settings]:
    """Settings of the update rule for a PyTorch optimizer, those of its own class first.

    A class of the user's own may extend or imitate a known one: it may clip as Keras's optimizer
    does, or decay weights in another way.

    Args:
        keras: of Keras's optimizer.
        torch: as :meth:`parity.adapters.trainer.Trainer.settings_of` reports it.
        rates: PyTorch's learning rate of each step.
    """
    if torch is None:
        return
    known = with_rates(of_either(torch), rates)
    if known is not None:
        yield known
    imitated = [of_torch(name, torch.values, False) for name in FORMULAS[keras.kind].classes]
    bases = [known, *(with_rates(one, rates) for one in imitated), with_rates(keras, rates)]
    for base, decay, clip in itertools.product(
        [one for one in bases if one is not None], _decays(torch.values), [*_clips(keras.values)]
    ):
        yield replace(base, values={**base.values, **decay, **clip})


def with_rates(settings: Settings | None, rates: Sequence[float]) -> Settings | None:
    """The settings with the learning rate of the steps, or all rates where it changed."""
    if settings is None:
        return None
    rate = rates[0] if len(set(rates)) == 1 else tuple(rates)
    return replace(settings, values={**settings.values, "learning_rate": rate})


def _decays(values: Values) -> list[dict[str, Any]]:
    """None, and what the optimizer has, in both ways."""
    decay = values.get("weight_decay") or 0.0
    ways = [{"weight_decay": decay, "decay": way} for way in (IN_GRADIENT, DECOUPLED)]
    return ([{"weight_decay": 0.0}, *ways]) if decay else [{"weight_decay": 0.0}]


def _clips(keras: Values) -> Iterator[dict[str, float]]:
    """None, and Keras's limit in every way."""
    none = dict.fromkeys(CLIPS, 0.0)
    yield none
    limits = [keras[name] for name in CLIPS if keras[name]]
    limits += [float(str(np.float32(one))) for one in limits]  # as written, not rounded by Keras
    for limit in dict.fromkeys(limits):
        for name in CLIPS:
            for epsilon in (CLIP_EPSILON, 0.0) if name != "clipvalue" else (0.0,):
                yield {**none, name: limit, "clip_epsilon": epsilon}
