"""Keras's optimizers and schedules for PyTorch: used as those of ``torch.optim``, Keras's numbers.

They take weights, gradients and plain Python floats as Keras does, in float64 to within 1e-15 of
it. ``param_groups``, ``state_dict`` and PyTorch's own schedulers work.
"""

from torch_impl.optim.adam import Adam, Adamax, AdamW, Nadam
from torch_impl.optim.adaptive import Adadelta, Adagrad, RMSprop
from torch_impl.optim.base import KerasOptimizer
from torch_impl.optim.ftrl import Ftrl
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
    "Lion",
    "Nadam",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "RMSprop",
]
