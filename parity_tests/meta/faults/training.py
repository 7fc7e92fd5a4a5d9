"""Faults of a full training run: schedules, callbacks, validation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from parity_tests.meta.planting import Case, replaced, twin, wrapped
from torch_impl.fit import EarlyStopping, ReduceLROnPlateau
from torch_impl.ladder.training import TorchModel
from torch_impl.optim import KerasOptimizer, schedules


def torch_cosine(self: schedules.CosineDecay, initial: torch.Tensor, step: torch.Tensor) -> Any:
    """PyTorch's formula in double precision, which rises again after its end."""
    share = float(step) / self.decay_steps
    height = 0.5 * (1 + torch.cos(torch.tensor(torch.pi * share, dtype=torch.float64)))
    return float(initial) * ((1 - self.alpha) * height + self.alpha)


def by_epoch(original: Callable[..., float], self: Any, initial: float, step: int) -> float:
    """Call the scheduler once an epoch, as is usual in PyTorch, not once a step."""
    return original(self, initial, step // 5)


def a_step_ahead(original: Callable[..., float], self: Any, initial: float, step: int) -> float:
    """Call the scheduler before the optimizer."""
    return original(self, initial, step + 1)


def with_other(**values: object) -> Callable[..., None]:
    """Build a callback with these values instead of the spec's."""

    def wrap(original: Callable[..., None], *args: object, **others: object) -> None:
        original(*args, **{**others, **values})

    return wrap


def one_epoch_more(original: Callable[..., None], *args: object, **others: Any) -> None:
    """Count patience as PyTorch's ``ReduceLROnPlateau`` does."""
    original(*args, **{**others, "patience": others["patience"] + 1})


def with_class_weights(original: Callable[..., Any], self: TorchModel, examples: object) -> Any:
    """Validate with the training loss."""
    self.validation_loss = self.loss_fn
    return original(self, examples)


def in_training_mode(original: Callable[..., Any], self: TorchModel, *fed: torch.Tensor) -> Any:
    """Forget ``model.eval()``: batch norm takes the statistics of the test batch."""
    if not any(True for _ in self.model.buffers()):
        return original(self, *fed)
    return self.model.train()(fed[0], keep=_everything(self, len(fed[0])))


def _everything(model: TorchModel, size: int) -> dict[str, torch.Tensor]:
    """Keep masks that drop nothing."""
    draws = model.spec.model.draws().items()
    return {name: torch.ones((size, *draw.shape), dtype=torch.bool) for name, draw in draws}


def nothing(*_: object) -> None:
    """Do nothing."""


rate = schedules.KerasSchedule

SOFTMAX, CNN = ("softmax", "hidden_32_16-logits"), ("cnn", "bn-c1-k3-s1-n8")
RNN = ("rnn", "gru_after-1-uni-fixed")


def on_the_ladder(step: int) -> tuple[Case, ...]:
    return tuple(
        Case(*model, "optimizer", optimizer, recipe="schedule", step=step)
        for model, optimizer in ((SOFTMAX, "sgd"), (RNN, "adam"))
    )


def trained(recipe: str, *models: tuple[str, str], step: int | None = None) -> tuple[Case, ...]:
    return tuple(Case(*model, "", "adam", recipe=recipe, step=step) for model in models)


# an epoch has five steps; a rate that is lowered after it shows in the loss of its second step
FAULTS = [
    *twin("schedule.double_precision", "steps", replaced(schedules.CosineDecay, "formula",
          torch_cosine), on_the_ladder(2)),
    *twin("schedule.once_an_epoch", "steps", wrapped(rate, "rate", by_epoch), on_the_ladder(2)),
    *twin("schedule.a_step_ahead", "step", wrapped(rate, "rate", a_step_ahead), on_the_ladder(1)),
    *twin("early_stopping.patience", "training",
          wrapped(EarlyStopping, "__init__", one_epoch_more), trained("stopped", SOFTMAX, CNN)),
    *twin("early_stopping.min_delta", "training",
          wrapped(EarlyStopping, "__init__", with_other(min_delta=0.0)),
          trained("stopped", SOFTMAX, CNN)),
    *twin("early_stopping.best_not_restored", "training",
          replaced(EarlyStopping, "on_train_end", nothing), trained("stopped", SOFTMAX, CNN)),
    *twin("plateau.patience", "training",
          wrapped(ReduceLROnPlateau, "__init__", one_epoch_more),
          trained("plateau", SOFTMAX, RNN, step=12)),
    *twin("plateau.factor", "training",
          wrapped(ReduceLROnPlateau, "__init__", with_other(factor=0.5)),
          trained("plateau", SOFTMAX, RNN, step=12)),
    *twin("plateau.no_cooldown", "training",
          wrapped(ReduceLROnPlateau, "__init__", with_other(cooldown=0)),
          trained("plateau", SOFTMAX, RNN, step=17)),
    *twin("validation.class_weights", "training",
          wrapped(TorchModel, "validate", with_class_weights), trained("averaged", SOFTMAX)),
    *twin("validation.in_training_mode", "predictions",
          wrapped(TorchModel, "_evaluate", in_training_mode), trained("averaged", CNN)),
    *twin("average.not_taken_at_the_end", "training",
          replaced(KerasOptimizer, "finalize", nothing), trained("averaged", SOFTMAX, CNN)),
]  # fmt: skip
