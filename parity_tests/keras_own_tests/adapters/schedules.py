"""Keras's schedules, computed by ``torch_impl.optim``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from parity_tests.keras_own_tests.adapters.arguments import missing, options_of, to_keras
from torch_impl import optim


def __getattr__(name: str) -> Any:
    if not hasattr(optim, name):
        return missing("optimizers.schedules", name)

    def make(*args: Any, **kwargs: Any) -> Callable[[Any], Any]:
        options = options_of("optimizers.schedules", name, args, kwargs)
        options.pop("name", None)
        initial = options.pop("initial_learning_rate", 1.0)
        optimizer = torch.optim.SGD([torch.zeros(1)], lr=initial)
        schedule = getattr(optim, name)(optimizer, **options)
        return lambda step: to_keras(torch.tensor(schedule.rate(initial, float(step))))

    return make
