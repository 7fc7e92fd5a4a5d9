"""Losses of a user's own two: the same ones are the same, others are told by what parts them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from parity.errors import ParityError
from parity.pairs.check import Report, check
from parity.reference.keras_config import LOSSES
from parity_tests.pairs.training.mlp import Mlp, X, keras_mlp, trained

pytestmark = pytest.mark.flavour

SHARES = np.random.default_rng(2).dirichlet(np.ones(3), 16)
NUMBERS = np.random.default_rng(1).normal(size=(16, 3)) * 2.0
SIGNS = np.sign(NUMBERS)


def report_of(keras: Any, own: Any, other: Any, targets: Any, softmax: bool) -> Report:
    """A check of a faithful pair with these losses."""
    model, module = keras_mlp(keras, softmax=softmax), Mlp(softmax=softmax)
    loss = own if other is None else (own, other)
    return check(model, module, X, targets=targets, loss=loss, optimizer="sgd", steps=2)


@pytest.mark.parametrize("name", sorted({*LOSSES.values()}))
def test_every_loss_by_name_is_the_same(name: str, keras: Any) -> None:
    """PyTorch gets Keras's formula."""
    if not hasattr(keras.losses, name):
        with pytest.raises(ParityError, match=f"received '{name}', accepted: a loss that"):
            report_of(keras, name, None, SHARES, True)
        return
    softmax = name not in ("Huber", "LogCosh", "MeanSquaredError", "MeanAbsoluteError")
    targets: Any = SHARES if softmax else NUMBERS
    if name == "SparseCategoricalCrossentropy":
        targets = np.argmax(SHARES, -1)
    elif "Hinge" in name:
        targets = SIGNS
    report = report_of(keras, name, None, targets, softmax)
    assert report.verdict == "same", str(report)


Loss = Callable[[Tensor, Tensor], Tensor]
ALIKE: dict[str, tuple[Loss, Any, bool]] = {
    "Huber": (nn.HuberLoss(), NUMBERS, False),
    "KLDivergence": (lambda x, y: F.kl_div(x.log(), y, reduction="batchmean"), SHARES, True),
    "Hinge": (lambda x, y: (1.0 - x * y).clamp(min=0.0).mean(), SIGNS, False),
    "SquaredHinge": (lambda x, y: ((1.0 - x * y).clamp(min=0.0) ** 2).mean(), SIGNS, False),
    "CosineSimilarity": (lambda x, y: -F.cosine_similarity(x, y).mean(), NUMBERS, False),
    "Poisson": (nn.PoissonNLLLoss(log_input=False, eps=1e-7), SHARES, True),
}
"""Keras's class to what a user writes, targets, and whether the model ends in a softmax."""


@pytest.mark.parametrize("name", ALIKE)
def test_what_users_write_for_it_is_the_same(name: str, keras: Any) -> None:
    """PyTorch's own of the same formula."""
    other, targets, softmax = ALIKE[name]
    report = report_of(keras, getattr(keras.losses, name)(), other, targets, softmax)
    assert report.verdict == "same", str(report)


WRONG: dict[str, tuple[str, Loss, Any, bool, str]] = {
    "a wider Huber": ("Huber", nn.HuberLoss(delta=2.0), NUMBERS, False, "loss.delta"),
    "squares for Huber": ("Huber", nn.MSELoss(), NUMBERS, False, "loss.kind"),
    "a sum of Huber": ("Huber", nn.HuberLoss(reduction="sum"), NUMBERS, False, "loss.reduction"),
    "Poisson of logarithms": ("Poisson", nn.PoissonNLLLoss(), SHARES, True, "loss.from_logits"),
    "hinge for its square": (
        *("SquaredHinge", lambda x, y: (1.0 - x * y).clamp(min=0.0).mean()),
        *(SIGNS, False, "loss.kind"),
    ),
}
"""Keras's class, what a user wrote, targets, whether the model ends in a softmax, the cause."""


@pytest.mark.parametrize("name", WRONG)
def test_what_parts_two_losses_is_named(name: str, keras: Any) -> None:
    """One cause, whose proof leaves nothing."""
    own, other, targets, softmax, cause = WRONG[name]
    report = report_of(keras, getattr(keras.losses, own)(), other, targets, softmax)
    assert [one.id for one in report.causes] == [cause], str(report)
    assert report.causes[0].proof is not None
    assert report.causes[0].proof.after <= 1e-12 < report.causes[0].proof.before


class Held(Mlp):
    """Whose first layer learns nothing."""

    def forward(self, x: Tensor) -> Tensor:
        """Classes of (N, 6)."""
        with torch.no_grad():
            x = self.drop(torch.relu(self.a(x)))
        return self.b(x)


def test_a_forward_pass_without_gradients_is_named(keras: Any) -> None:
    """As a tensor that is detached is: with both out of force, the gradients are Keras's."""
    loss = keras.losses.Huber(), nn.HuberLoss()
    report = trained(keras, Held(), targets=NUMBERS, loss=loss)
    assert [(one.id, one.layer) for one in report.causes] == [("gradient.detached", "a")]
