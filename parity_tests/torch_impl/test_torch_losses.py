"""Keras's losses for PyTorch: values and gradients equal those of Keras 2 and 3."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from parity.adapters.backend import Backend
from parity_tests.support.loss_rows import (
    DTYPES,
    ROWS,
    WEIGHTS,
    D,
    N,
    assert_same,
    in_keras,
    in_torch,
    name_of,
    one_hot,
    outputs_of,
    pytest_generate_tests,
    softmax,
    targets_of,
)

__all__ = ["pytest_generate_tests"]  # which pytest finds here

pytestmark = pytest.mark.flavour


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("weights", WEIGHTS)
def test_value_and_gradient_are_keras_s(
    reduction: str,
    weights: str,
    dtype: str,
    row: tuple[str, dict[str, Any], str, str],
    keras_backend: Backend,
    flavour: str,
) -> None:
    """Every loss equals Keras's in every reduction, with all kinds of weights."""
    kind, given, outputs, target = row
    count = D if given.get("axis") == 0 else N
    call = outputs_of(outputs), targets_of(target), WEIGHTS[weights](count), dtype
    k = in_keras(kind, {**given, "reduction": reduction}, *call)
    t = in_torch(kind, {**given, "reduction": reduction}, *call, flavour=flavour)
    assert_same(t, k, dtype)
    assert (k[1] != 0).any()


@pytest.mark.parametrize("weight", [0.3, 2, 0.0, np.zeros(N)], ids=["0.3", "2", "0", "zeros"])
@pytest.mark.parametrize("given_row", [ROWS[2], ROWS[14]], ids=name_of)
def test_weights_may_be_numbers_and_zero(
    given_row: tuple[str, dict[str, Any], str, str],
    reduction: str,
    weight: Any,
    keras_backend: Backend,
    flavour: str,
) -> None:
    """Keras 2 rounds numbers to float32; a mean over weights of zero is 0."""
    kind, given, outputs, target = given_row
    given = {**given, "reduction": reduction}
    call = kind, given, outputs_of(outputs), targets_of(target), weight
    assert_same(in_torch(*call, flavour=flavour), in_keras(*call))


EDGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "zeros": lambda x: x * 0,
    "ones": lambda x: x * 0 + 1,
    "hundreds": lambda x: 100 * np.sign(x) + 0 * x,
    "nearly_one": lambda x: x * 0 + 1 - 1e-7,
    "tiny": lambda x: x * 0 + 1e-7,
    "halves": lambda x: np.round(2 * x) / 2,
    "mixed": lambda x: np.where(np.arange(D) % 2 == 0, 100.0, -100.0) + 0 * x,
    "infinite": lambda x: np.where(np.arange(D) == 1, -np.inf, x),
}
"""Clipped, at a bound, saturated, tied, exactly at a margin, or not finite."""


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("edge", EDGES)
def test_extreme_outputs_are_treated_alike(
    edge: str,
    dtype: str,
    row: tuple[str, dict[str, Any], str, str],
    keras_backend: Backend,
    flavour: str,
) -> None:
    """Extreme outputs give Keras's values and gradients, including NaN and infinity."""
    kind, given, outputs, target = row
    call = EDGES[edge](outputs_of(outputs)), targets_of(target), None, dtype
    given = {**given, "reduction": "none"}
    assert_same(in_torch(kind, given, *call, flavour=flavour), in_keras(kind, given, *call), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_outputs_on_the_target_are_treated_alike(
    dtype: str,
    row: tuple[str, dict[str, Any], str, str],
    keras_backend: Backend,
    flavour: str,
) -> None:
    """No error at all: kinks and logarithms of one.

    What is left of the loss or its gradient then is the rounding of terms next to 1.
    """
    kind, given, _, kind_of_target = row
    target = targets_of(kind_of_target)
    outputs = one_hot(target) if kind_of_target == "labels" else target
    call = outputs, target, None, dtype
    k, t = in_keras(kind, given, *call), in_torch(kind, given, *call, flavour=flavour)
    assert_same(t, k, dtype, at_least=1.0)


def test_a_compiled_keras_loss_is_no_other(
    row: tuple[str, dict[str, Any], str, str], keras_backend: Backend, flavour: str
) -> None:
    """Losses are also equal within ``tf.function``."""
    kind, given, outputs, target = row
    call = outputs_of(outputs), targets_of(target), WEIGHTS["examples"](N)
    if given.get("axis") == 0:
        call = *call[:2], None
    k = in_keras(kind, given, *call, compiled=True)
    assert_same(in_torch(kind, given, *call, flavour=flavour), k)


def test_empty_batches_are_treated_alike(
    row: tuple[str, dict[str, Any], str, str], keras_backend: Backend, flavour: str
) -> None:
    """For an empty batch Keras 2 returns 0, Keras 3 an empty tensor."""
    kind, given, outputs, target = row
    if given.get("axis") == 0:
        pytest.skip("there are still D losses")
    if (kind, flavour) == ("CategoricalHinge", "keras3"):
        pytest.skip("Keras 3 refuses to take the largest of nothing")
    call = outputs_of(outputs)[:0], targets_of(target)[:0]
    k, t = in_keras(kind, given, *call), in_torch(kind, given, *call, flavour=flavour)
    assert_same(t, k)


SHAPES = [
    ((N, 1), (N, 1), None),
    ((N, 1), (N,), None),
    ((N,), (N, 1), None),
    ((N,), (N,), None),
    ((N, 1), (N, 1), (N,)),
    ((N, 1), (N, 1), (N, 1)),
    ((N, 1), (N,), (N,)),
    ((N,), (N,), (N,)),
    ((N,), (N,), (1,)),
    ((1, 3), (1, 3), ()),
    ((4, 3, 2), (4, 3, 2), (4,)),
    ((4, 3, 2), (4, 3, 2), (4, 1)),
    ((4, 3, 2), (4, 3, 2), (4, 3)),
    ((4, 3, 2), (4, 3, 2), (4, 3, 1)),
    ((4, 3, 2), (4, 3, 2), (3,)),
    ((4, 1, 2), (4, 1, 2), (4,)),
    ((3, 3, 2), (3, 3, 2), (3,)),
    ((4, 3, 2, 2), (4, 3, 2, 2), (4,)),
    ((4, 3, 2, 2), (4, 3, 2, 2), (2,)),
    ((4, 3, 2, 2), (4, 3, 2, 2), (4, 3)),
    ((4, 3, 1), (4, 3), None),
    ((4, 3), (4, 3, 1), (4,)),
    ((4, 3), (3,), None),
    ((4, 3), (4, 1), (4,)),
    ((4, 3), (4,), None),
]
"""Outputs, target, sample weights."""


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("kind", ["MeanSquaredError", "BinaryCrossentropy"])
def test_shapes_meet_as_in_keras(
    kind: str,
    shapes: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...] | None],
    reduction: str,
    keras_backend: Backend,
    flavour: str,
) -> None:
    """Ranks are matched and broadcast as in Keras; where Keras fails, ValueError is raised."""
    rng = np.random.default_rng(0)
    outputs, target, weight = shapes
    call = (
        rng.uniform(0.1, 0.9, outputs),
        rng.integers(0, 2, target).astype(float),
        None if weight is None else np.asarray(rng.uniform(0, 2, weight)),
    )
    given = {"reduction": reduction}
    mean = "tf_keras", (N, 1), (N,)
    stricter = kind == "BinaryCrossentropy" and shapes in (((4, 3), (3,), None), SHAPES[-2])
    refused = (flavour, outputs, target) == mean and reduction != "sum_over_batch_size"
    try:
        k = in_keras(kind, given, *call)
    except Exception:
        k = None
    if k is None or refused or stricter:
        with pytest.raises(ValueError, match="received") as caught:
            in_torch(kind, given, *call, flavour=flavour)
        assert "\n" not in str(caught.value)
    else:
        assert_same(in_torch(kind, given, *call, flavour=flavour), k)


@pytest.mark.parametrize("weight", [None, 0.3, (4,), (4, 1), (4, 3)], ids=str)
@pytest.mark.parametrize("ignored", ["none", "some", "all"])
@pytest.mark.parametrize("from_logits", [False, True])
def test_ignored_labels_count_for_nothing(
    from_logits: bool,
    ignored: str,
    weight: Any,
    reduction: str,
    keras_backend: Backend,
    flavour: str,
) -> None:
    """A mean excludes ignored labels; if all are ignored, it is NaN in Keras 2 and 0 in Keras 3."""
    rng = np.random.default_rng(0)
    outputs = softmax(rng.standard_normal((4, 3, D)))
    target = rng.integers(0, D, (4, 3))
    target[{"none": [], "some": [0, 2], "all": slice(None)}[ignored]] = -1
    if ignored == "some":
        target[1, 1] = -1
        outputs[0, 0] = np.nan
    given = {"from_logits": from_logits, "ignore_class": -1, "reduction": reduction}
    if isinstance(weight, tuple):
        weight = rng.uniform(0, 2, weight)
    call = "SparseCategoricalCrossentropy", given, outputs, target, weight
    try:
        k = in_keras(*call)
    except Exception:
        with pytest.raises(ValueError, match="sample_weight: received"):
            in_torch(*call, flavour=flavour)
    else:
        assert_same(in_torch(*call, flavour=flavour), k)


@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize(
    ("shape", "labels"), [((4, D), (4,)), ((4, D), (4, 1)), ((4, 3, D), (4, 3)), ((D,), ())]
)
def test_labels_of_all_ranks(
    shape: tuple[int, ...],
    labels: tuple[int, ...],
    from_logits: bool,
    keras_backend: Backend,
    flavour: str,
) -> None:
    """Labels of sequences and images, with an axis of size 1, or as floats, give Keras's loss."""
    rng = np.random.default_rng(0)
    call = softmax(rng.standard_normal(shape)), np.asarray(rng.integers(0, D, labels))
    given = {"from_logits": from_logits, "reduction": "none"}
    k = in_keras("SparseCategoricalCrossentropy", given, *call)
    kind = "SparseCategoricalCrossentropy"
    assert_same(in_torch(kind, given, *call, flavour=flavour), k)
    as_floats = call[0], call[1].astype(float)
    assert_same(in_torch(kind, given, *as_floats, flavour=flavour), k)


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("SparseCategoricalCrossentropy", {"from_logits": True, "ignore_class": 0}),
        ("SparseCategoricalCrossentropy", {}),
        ("CategoricalCrossentropy", {"from_logits": True}),
        ("CategoricalCrossentropy", {}),
        ("CategoricalCrossentropy", {"label_smoothing": 0.2}),
        ("BinaryCrossentropy", {"label_smoothing": 0.2}),
        ("CosineSimilarity", {}),
    ],
    ids=str,
)
def test_classes_stand_on_pytorch_s_axis(
    kind: str, given: dict[str, Any], keras_backend: Backend, flavour: str
) -> None:
    """Images with axis=1 give Keras's result with classes last, or with its own axis=1."""
    rng = np.random.default_rng(0)
    outputs = softmax(rng.standard_normal((2, 3, 4, D)))
    labels = rng.integers(0, D, (2, 3, 4))
    sparse = kind == "SparseCategoricalCrossentropy"
    target = labels if sparse else one_hot(labels)
    value, gradient = in_keras(kind, given, outputs, target)
    first = [np.moveaxis(array, -1, 1) if array.ndim == 4 else array for array in (outputs, target)]
    t = in_torch(kind, {**given, "axis": 1}, *first, flavour=flavour)
    smoothed_by_last = flavour == "keras3" and kind[0] == "C" and "label_smoothing" in given
    if not smoothed_by_last:
        assert_same(t, (value, np.moveaxis(gradient, -1, 1)))
    if not sparse:
        assert_same(t, in_keras(kind, {**given, "axis": 1}, *first))
