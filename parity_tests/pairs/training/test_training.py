"""A check of how users' own pairs train: faithful ones do alike, faults are placed and named."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from parity.adapters.trainer import Batch, RunOptions
from parity.errors import ParityError
from parity.pairs.check import check
from parity.pairs.training import runs, steps
from parity.rungs import title
from parity_tests.pairs.training.mlp import Mlp, X, Y, keras_mlp, trained
from parity_tests.pairs.zoo.models import PAIRS, fill
from parity_tests.support.selection import first_of_each

pytestmark = pytest.mark.flavour

FAITHFUL = [name for name in PAIRS if name not in ("gru, reset before", "cnn")]
OPTIMIZERS = ("adam", "sgd", "rmsprop", "nadam", "adagrad", "lion")


def targets(name: str) -> list[np.ndarray]:
    """For each output of a pair: class numbers, or numbers."""
    numbers = np.random.default_rng(2)
    if name == "residual":
        return [numbers.normal(size=(4, 3)), numbers.normal(size=(4, 2))]
    return [numbers.integers(0, 3, 4)]


def loss_of(name: str, keras: Any) -> Any:
    """That fits what a pair returns."""
    if name == "residual":
        return "mse"
    if name == "cnn":
        return "sparse_categorical_crossentropy"
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def port(name: str, **changed: Any) -> nn.Module:
    """A PyTorch model of a pair; of two biases whose sum alone counts, one is frozen."""
    module = PAIRS[name].torch(**changed)
    for own, tensor in module.named_parameters():
        tensor.requires_grad_("bias_hh" not in own or name == "gru")
    return module


TRAINED = [
    (name, optimizer)
    for turn in range(len(OPTIMIZERS))
    for name, optimizer in zip(FAITHFUL, OPTIMIZERS[turn:] + OPTIMIZERS[:turn], strict=False)
]
"""Every pair with every optimizer; in the first ones each pair has another one."""


@pytest.mark.parametrize(("name", "optimizer"), first_of_each(TRAINED, lambda name, _: name))
def test_a_faithful_pair_trains_alike(name: str, optimizer: str, keras: Any) -> None:
    """Forward in training, loss, gradients, steps with an optimizer by name."""
    pair = PAIRS[name]
    report = check(
        fill(pair.keras(keras)),
        port(name),
        pair.inputs(),
        targets=targets(name),
        loss=loss_of(name, keras),
        optimizer=optimizer,
        steps=4,
    )
    if keras.__name__ == "keras" and optimizer in SQUARING and report.doubt:
        assert "weights after 4 steps differ" in report.doubt
        return
    assert report.verdict == "same", str(report)
    assert report.causes == ()


SQUARING = ("adam", "rmsprop", "nadam", "adagrad")
"""Keras 3 squares the sparse gradients of a token that occurs twice one by one; the comparison,
which gives both optimizers dense gradients, does not. The plain run shows it."""


def test_batch_norm_of_images_follows_what_runs_in_float32(keras: Any, flavour: str) -> None:
    """Keras 2's variance is unbiased there, as PyTorch's; Keras 3's is not, and that is told."""
    pair = PAIRS["cnn"]
    report = check(
        fill(pair.keras(keras)),
        pair.torch(),
        pair.inputs(),
        targets=targets("cnn"),
        loss=loss_of("cnn", keras),
        optimizer="sgd",
        steps=3,
    )
    if flavour == "tf_keras":
        assert report.verdict == "same", str(report)
        assert any("float32 kernel" in note for note in report.notes)
    else:
        assert [one.id for one in report.causes] == ["batch_norm.running_variance"]


@pytest.mark.parametrize("scaled", [True, False])
def test_the_mean_of_what_is_centred_is_rounding(
    scaled: bool, keras: Any, flavour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A norm behind a norm averages to nothing; without the scale of what it averages it parts."""
    if not scaled:
        monkeypatch.setattr(steps, "floors", lambda pairs: {})
    layers = keras.layers
    keras.utils.set_random_seed(0)
    made = [keras.Input((8, 8, 3))]
    for number in (1, 2):
        made.append(layers.Conv2D(4, 1, use_bias=False, name=f"conv{number}"))
        made.append(layers.BatchNormalization(name=f"norm{number}"))
    module = nn.Sequential(
        *(nn.Conv2d(3, 4, 1, bias=False), nn.BatchNorm2d(4, eps=1e-3, momentum=0.01)),
        *(nn.Conv2d(4, 4, 1, bias=False), nn.BatchNorm2d(4, eps=1e-3, momentum=0.01)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)),
    )
    made += [layers.GlobalAveragePooling2D(), layers.Dense(3, name="classes")]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    arguments = {"targets": targets("cnn"), "loss": loss, "optimizer": "sgd", "steps": 1}
    report = check(keras.Sequential(made), module, PAIRS["cnn"].inputs(), **arguments)
    usual = {"batch_norm.running_variance"} if flavour == "keras3" else set()
    assert ({one.id for one in report.causes} == usual) == scaled, str(report)


class Skipping(nn.Module):
    """Calls its second layer every other time."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 3), nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (N, 6) to (N, 3)."""
        x = nn.functional.dropout(self.first(x), training=self.training)
        return x if self.training and next(TURNS) % 2 else self.second(x)


TURNS = itertools.count()


def test_a_model_that_skips_layers_is_not_trained(keras: Any) -> None:
    """The reason is one line that says what is accepted."""
    layers = keras.layers
    stack = [keras.Input((6,)), layers.Dense(3), layers.Dropout(0.5), layers.Dense(3)]
    report = check(keras.Sequential(stack), Skipping(), X, targets=np.ones((16, 3)), loss="mse")
    assert report.verdict == "inconclusive"
    assert [one.status for one in report.rungs] == ["passed", "not run", "not run", "not run"]
    assert re.search("layers in training.*layerdrop", report.rungs[1].reason)


def test_constants_that_keras_rounds_are_no_fault(keras: Any) -> None:
    """torch.optim.SGD with plain numbers is a faithful port."""
    rules = (
        keras.optimizers.SGD(0.05, momentum=0.9),
        lambda params: torch.optim.SGD(params, lr=0.05, momentum=0.9),
    )
    report = trained(keras, optimizer=rules)
    assert report.verdict == "same", str(report)


@pytest.mark.parametrize(("steps", "last"), [(1, ("step",)), (3, ("step", "steps"))])
def test_the_report_lists_the_rungs_that_were_compared(
    steps: int, last: tuple[str, ...], keras: Any
) -> None:
    """These and no others: a single step has no second."""
    report = trained(keras, steps=steps)
    names = ("forward_eval", "forward_train", "loss", "gradients", *last)
    assert tuple(one.name for one in report.rungs) == names
    assert all(title(one, steps) in str(report) for one in names)


def test_gradients_of_losses_that_part_are_not_compared(keras: Any) -> None:
    """They would differ for no reason of their own."""
    own = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    report = trained(keras, loss=(own, nn.CrossEntropyLoss(reduction="sum")))
    status = {one.name: one for one in report.rungs}
    assert status["loss"].status == "failed"
    assert status["gradients"].reason == "the losses differ"


def test_the_seed_decides_what_is_dropped(keras: Any) -> None:
    """The same seed drops the same, another does not."""
    found = [trained(keras, Mlp(0.4), seed=seed) for seed in (0, 0, 1)]
    first, again, other = (one.causes[0].proof.before for one in found)
    assert first == again != other


@pytest.mark.parametrize(
    ("changed", "cause"),
    [({"momentum": 0.1}, "batch_norm.momentum"), ({"rate": 0.2}, "dropout.rate")],
    ids=str,
)
def test_what_is_latent_in_evaluation_shows_in_training(
    changed: dict[str, float], cause: str, keras: Any, flavour: str
) -> None:
    """And is then a cause with its proof, and latent no more."""
    pair = PAIRS["cnn"]
    report = check(
        fill(pair.keras(keras)),
        pair.torch(**changed),
        pair.inputs(),
        targets=targets("cnn"),
        loss=loss_of("cnn", keras),
        optimizer="sgd",
        steps=2,
    )
    found = {one.id for one in report.causes}
    if flavour == "keras3":
        found.discard("batch_norm.running_variance")
    assert found == {cause}, str(report)
    assert cause not in {one.id for one in report.latent}


@pytest.mark.parametrize(
    ("name", "optimizer"),
    first_of_each(
        [("lstm", "own"), ("rnn", "adam"), ("lstm", "adam"), ("rnn", "own")], lambda name, _: name
    ),
)
def test_two_biases_move_twice_as_far(name: str, optimizer: str, keras: Any) -> None:
    """PyTorch's second bias is named, beside the optimizer's own cause if there is one."""
    pair = PAIRS[name]
    own = (keras.optimizers.Adam(), lambda params: torch.optim.Adam(params, eps=1e-7))
    report = check(
        fill(pair.keras(keras)),
        pair.torch(),
        pair.inputs(),
        targets=targets(name),
        loss=loss_of(name, keras),
        optimizer=own if optimizer == "own" else optimizer,
        steps=2,
    )
    wanted = {"lstm.two_biases" if name == "lstm" else "simple_rnn.two_biases"}
    wanted |= {"adam.epsilon_placement"} if optimizer == "own" else set()
    assert {one.id for one in report.causes} == wanted, str(report)


def test_several_causes_of_training_are_all_found(keras: Any) -> None:
    """A rate of dropout, and an optimizer that answers for itself."""
    report = trained(keras, Mlp(0.4), optimizer=(keras.optimizers.AdamW(), torch.optim.AdamW))
    decay = {"adam.epsilon", "adam.epsilon_placement", "adamw.weight_decay"}
    assert {one.id for one in report.causes} == {"dropout.rate", *decay}, str(report)


def test_masks_that_are_not_shared_are_seen(keras: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the two drew by other names, a faithful pair would part."""

    def unshared(batch: Batch, *_: Any) -> Batch:
        options = RunOptions(names=("one",)), RunOptions(names=("another",))
        return replace(batch, keras_options=options[0], torch_options=options[1])

    monkeypatch.setattr(runs, "match_draws", unshared)
    report = trained(keras)
    assert report.verdict == "different"
    assert report.first_divergence.rung == "forward_train"


def test_models_that_are_trained_are_copies(keras: Any) -> None:
    """The user's own weights and what is frozen stay as they are."""
    model, module = keras_mlp(keras, frozen=True), Mlp()
    before = [value.copy() for value in model.get_weights()]
    state = {name: value.clone() for name, value in module.state_dict().items()}
    optimizer = keras.optimizers.Adam()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    check(model, module, X, targets=Y, loss=loss, optimizer=optimizer, steps=2)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert all(torch.equal(value, module.state_dict()[name]) for name, value in state.items())
    assert all(one.requires_grad and one.grad is None for one in module.parameters())
    assert int(np.asarray(optimizer.iterations)) == 0


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no targets": ({"targets": None}, "loss: received one without targets"),
    "no loss": ({"loss": None, "optimizer": "sgd"}, "optimizer: received one without a loss"),
    "no such loss": ({"loss": "mean"}, "loss: received 'mean'"),
    "a function alone": ({"loss": lambda y, x: x}, "loss: received <function"),
    "three losses": ({"loss": ("mse", "mse", "mse")}, "loss: received 3"),
    "no such optimizer": ({"optimizer": "adamm"}, "optimizer: received 'adamm'"),
    "a class of optimizers": ({"optimizer": 3}, "optimizer: received int"),
    "no steps": ({"optimizer": "sgd", "steps": 0}, "steps: received 0"),
    "too many targets": ({"targets": [Y, Y]}, "targets: received 2"),
    "targets of another size": ({"targets": Y[:5]}, "loss: Keras's cannot be called"),
    "PyTorch's loss fails": (
        {"loss": ("mse", lambda outputs, y: outputs.nothing), "targets": np.ones((16, 3))},
        "loss: PyTorch's cannot be called",
    ),
    "PyTorch's loss is no tensor": (
        {"loss": ("mse", lambda outputs, y: 1.0), "targets": np.ones((16, 3))},
        "loss: PyTorch's gave float",
    ),
    "PyTorch's optimizer fails": (
        {"optimizer": ("sgd", lambda params: torch.optim.SGD(params, lr=-1.0))},
        "optimizer: PyTorch's raised ValueError",
    ),
    "PyTorch's optimizer is none": (
        {"optimizer": ("sgd", lambda params: params)},
        "optimizer: PyTorch's returned list",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_use_is_told_in_one_line(name: str, keras: Any) -> None:
    """What was received and what is accepted."""
    given, said = WRONG[name]
    arguments: dict[str, Any] = {"targets": Y, "loss": "sparse_categorical_crossentropy", **given}
    with pytest.raises(ParityError) as error:
        check(keras_mlp(keras), Mlp(), X, **arguments)
    assert str(error.value).startswith(said)
    assert "\n" not in str(error.value)
