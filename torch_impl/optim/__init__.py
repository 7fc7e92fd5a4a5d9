"""Keras's optimizers and learning-rate schedules, as PyTorch optimizers and schedulers.

In float64 their updates equal Keras's to a relative error of 1e-15. ``param_groups``,
``state_dict`` and PyTorch's own schedulers work.
"""

from torch_impl.optim.adafactor import Adafactor
from torch_impl.optim.adam import Adam, Adamax, AdamW, Nadam
from torch_impl.optim.adaptive import Adadelta, Adagrad, RMSprop
from torch_impl.optim.base import KerasOptimizer
from torch_impl.optim.ftrl import Ftrl
from torch_impl.optim.lamb import Lamb
from torch_impl.optim.muon import Muon
from torch_impl.optim.schedules import (
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    KerasSchedule,
    PiecewiseConstantDecay,
    PolynomialDecay,
)
from torch_impl.optim.sgd import SGD, Lion

__all__ = [
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "Ftrl",
    "InverseTimeDecay",
    "KerasOptimizer",
    "KerasSchedule",
    "Lamb",
    "Lion",
    "Muon",
    "Nadam",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "RMSprop",
]
