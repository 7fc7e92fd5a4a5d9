"""Keras's losses as PyTorch modules: gradients, copies, errors."""

from __future__ import annotations

from typing import Any

import pytest

from parity.adapters.backend import Backend
from parity_tests.support.loss_rows import (
    LIMITS,
    ROWS,
    WEIGHTS,
    D,
    N,
    in_torch,
    outputs_of,
    pytest_generate_tests,
    targets_of,
)

__all__ = ["pytest_generate_tests"]  # which pytest finds here

pytestmark = pytest.mark.flavour


@pytest.mark.parametrize("scale", [1.0, 100.0])
@pytest.mark.parametrize("kind", ["SparseCategoricalCrossentropy", "CategoricalCrossentropy"])
def test_behind_its_softmax_keras_sees_logits(
    kind: str, scale: float, keras_backend: Backend, flavour: str
) -> None:
    """For a Keras softmax layer the equivalent is ``from_logits=True`` on the logits."""
    from keras_impl.framework import keras, set_dtype, tf

    set_dtype("float64")
    logits = outputs_of("any", scale)
    target = targets_of("labels" if kind[0] == "S" else "one_hot")
    k = getattr(keras.losses, kind)()(target, keras.activations.softmax(tf.constant(logits)))
    t, _ = in_torch(kind, {"from_logits": True}, logits, target, flavour=flavour)
    assert abs(t - k.numpy()) <= LIMITS["float64"] * abs(k.numpy())


@pytest.mark.parametrize(
    ("kind", "given", "outputs", "target"),
    [
        ("CategoricalCrossentropy", {"from_logits": True}, "any", "soft"),
        ("CategoricalCrossentropy", {"label_smoothing": 0.1}, "softmax", "soft"),
        ("BinaryCrossentropy", {"from_logits": True}, "any", "soft"),
        ("KLDivergence", {}, "softmax", "soft"),
        ("MeanSquaredError", {}, "any", "any"),
        ("CosineSimilarity", {}, "any", "any"),
    ],
)
def test_gradients_reach_targets_weights_and_second_order(
    kind: str,
    given: dict[str, Any],
    outputs: str,
    target: str,
    reduction: str,
    keras_backend: Backend,
    flavour: str,
) -> None:
    """Gradients for targets and weights, and second derivatives, equal Keras's."""
    import torch

    from keras_impl.framework import keras, set_dtype, tf
    from torch_impl import nn

    set_dtype("float64")
    given = {**given, "reduction": reduction}
    arrays = outputs_of(outputs), targets_of(target), WEIGHTS["examples"](N)
    x, y, w = (tf.constant(array) for array in arrays)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch([x, y, w])
            found = getattr(keras.losses, kind)(**given)(y, x, sample_weight=w)
        first = tape.gradient(found, [x, y, w])
        squares = tf.reduce_sum(first[0] ** 2)
    k = [gradient.numpy() for gradient in (*first, outer.gradient(squares, x))]

    tensors = [torch.from_numpy(array).requires_grad_() for array in arrays]
    loss = getattr(nn, kind)(**given, flavour=flavour)
    gradients = torch.autograd.grad(loss(*tensors).sum(), tensors, create_graph=True)
    (second,) = torch.autograd.grad(gradients[0].square().sum(), tensors[0])
    for ours, theirs in zip((*gradients, second), k, strict=True):
        assert abs(ours.detach().numpy() - theirs).max() <= LIMITS["float64"] * abs(theirs).max()


def test_a_loss_is_a_module_like_any_other(
    row: tuple[str, dict[str, Any], str, str], flavour: str
) -> None:
    """A loss can be moved, copied, saved with its class weights, and used in ``torch.func``."""
    import copy

    import torch

    from torch_impl import nn

    kind, given, outputs, target = row
    x, y = torch.from_numpy(outputs_of(outputs)), torch.from_numpy(targets_of(target))
    loss = getattr(nn, kind)(**given, flavour=flavour)
    value = loss(x, y)
    assert copy.deepcopy(loss)(x, y) == value
    assert loss.to(torch.float32)(x, y) == value
    assert torch.equal(torch.func.grad(loss)(x, y), gradient_of(loss, x, y))
    if isinstance(loss, nn.ClassificationLoss):
        weighted = getattr(nn, kind)(**given, flavour=flavour, class_weight=[1, 2, 3, 4, 5])
        other = getattr(nn, kind)(**given, flavour=flavour, class_weight=[1] * 5)
        other.load_state_dict(weighted.state_dict())
        assert other(x, y) == weighted(x, y) != value
    else:
        assert not loss.state_dict()


def gradient_of(loss: Any, x: Any, y: Any) -> Any:
    x = x.clone().requires_grad_()
    loss(x, y).backward()
    return x.grad


@pytest.mark.parametrize("label", [-100, -1, D])
def test_labels_that_are_no_class_are_refused(label: int, flavour: str) -> None:
    """The label −100, which ``cross_entropy`` ignores, is an error as in Keras on a CPU."""
    import torch

    from torch_impl import nn

    loss = nn.SparseCategoricalCrossentropy(flavour=flavour)
    with pytest.raises((IndexError, RuntimeError)):
        loss(torch.full((2, D), 1 / D), torch.tensor([0, label]))


@pytest.mark.parametrize(
    ("kind", "given", "message"),
    [
        ("Hinge", {"reduction": "avg"}, "reduction: received 'avg' with flavour"),
        ("Hinge", {"reduction": "mean", "flavour": "tf_keras"}, "accepted: sum_over_batch_size, "),
        ("Hinge", {"flavour": "keras4"}, "flavour: received 'keras4', accepted: tf_keras, keras3"),
        ("Dice", {"flavour": "tf_keras"}, "flavour: received 'tf_keras', accepted: keras3"),
        ("BinaryFocalCrossentropy", {"gamma": -1.0}, "gamma: received -1.0, accepted: 0 or more"),
        ("Huber", {"delta": 0.0}, "delta: received 0.0"),
        ("Huber", {"delta": float("nan")}, "delta: received nan"),
        ("BinaryCrossentropy", {"label_smoothing": 1.5}, "label_smoothing: received 1.5"),
        ("CategoricalCrossentropy", {"label_smoothing": -0.1}, "label_smoothing: received -0.1"),
        ("BinaryCrossentropy", {"class_weight": {0: 1.0, 2: 2.0}}, "received classes [0, 2]"),
        ("BinaryCrossentropy", {"class_weight": {-1: 1.0}}, "class_weight: received {-1: 1.0}"),
        ("BinaryCrossentropy", {"class_weight": {"a": 1.0}}, "class_weight: received {'a': 1.0}"),
        ("BinaryCrossentropy", {"class_weight": []}, "class_weight: received {}"),
    ],
)
def test_construction_refuses(kind: str, given: dict[str, Any], message: str) -> None:
    """The error is one line: the value received and what is accepted."""
    from torch_impl import nn

    with pytest.raises(ValueError, match="received") as caught:
        getattr(nn, kind)(**given)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "given", "shapes", "message"),
    [
        ("Hinge", {}, [(4, 3), (4, 2)], "target: received (4, 2) with outputs (4, 3)"),
        ("Hinge", {}, [(), ()], "outputs: received torch.float32 of shape ()"),
        ("Hinge", {}, [(4, 3), (4, 3), (5,)], "sample_weight: received shape (5,), accepted"),
        ("CategoricalCrossentropy", {}, [(4, 3), (4,)], "target: received shape (4,), accepted"),
        (
            "SparseCategoricalCrossentropy",
            {},
            [(4, 3), (4, 3)],
            "target: received shape (4, 3) with outputs (4, 3), accepted: (4,)",
        ),
        (
            "SparseCategoricalCrossentropy",
            {"class_weight": [1.0, 2.0]},
            [(4, 3), (4,)],
            "class_weight: received 2 weights for 3 classes",
        ),
        ("BinaryCrossentropy", {"reduction": "sum"}, [(4, 1), (4,)], "accepted: (4, 1) (Keras 2"),
        (
            "CTC",
            {},
            [(4, 3), (4, 3)],
            "target: received shape (4, 3) with outputs (4, 3), accepted",
        ),
    ],
)
def test_calls_refuse(
    kind: str, given: dict[str, Any], shapes: list[tuple[int, ...]], message: str
) -> None:
    """Errors in calls are raised before anything is computed."""
    import torch

    from torch_impl import nn

    with pytest.raises(ValueError, match="received") as caught:
        getattr(nn, kind)(**given)(*(torch.zeros(shape) for shape in shapes))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_integer_outputs_are_refused() -> None:
    """Class numbers as outputs (Keras's order of arguments) are an error."""
    import torch

    from torch_impl import nn

    with pytest.raises(ValueError, match=r"outputs: received torch\.int64 of shape"):
        nn.SparseCategoricalCrossentropy()(torch.zeros(4, dtype=torch.int64), torch.zeros(4, 3))


def test_every_loss_stands_in_the_table() -> None:
    """Every exported loss is compared with Keras, or is a base class."""
    from torch_impl import nn

    exported = (getattr(nn, name) for name in nn.__all__)
    losses = {o.__name__ for o in exported if isinstance(o, type) and issubclass(o, nn.KerasLoss)}
    compared = {kind for kind, *_ in ROWS} | {"CTC"}  # which has a file of its own
    assert compared == losses - {"KerasLoss", "ClassificationLoss"}
