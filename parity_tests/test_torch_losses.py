"""Keras's losses for PyTorch: values and gradients against Keras's own, in both flavours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from parity.backend import Backend

pytestmark = pytest.mark.flavour

N, D = 24, 5
DTYPES = ("float64", "float32")
Arrays = tuple[np.ndarray, np.ndarray]

REDUCTIONS = {
    "tf_keras": ["sum_over_batch_size", "sum", "none"],
    "keras3": ["sum_over_batch_size", "sum", "none", "mean", "mean_with_sample_weight"],
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for a reduction with all that the flavour has."""
    if "reduction" in metafunc.fixturenames:
        names = REDUCTIONS[metafunc.config.getoption("--flavour")]
        metafunc.parametrize("reduction", names)


def softmax(x: np.ndarray) -> np.ndarray:
    shares = np.exp(x - x.max(-1, keepdims=True))
    return shares / shares.sum(-1, keepdims=True)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def one_hot(labels: np.ndarray, classes: int = D) -> np.ndarray:
    return np.eye(classes)[labels]


def outputs_of(kind: str, scale: float = 2.0) -> np.ndarray:
    """Outputs (N, D) as a model's last layer returns them."""
    x = scale * np.random.default_rng(0).standard_normal((N, D))
    return {"any": lambda x: x, "softmax": softmax, "sigmoid": sigmoid, "positive": np.exp}[kind](x)


def targets_of(kind: str) -> np.ndarray:
    """Targets (N, D), or (N,) class numbers."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, D, N)
    binary = rng.integers(0, 2, (N, D)).astype(float)
    return {
        "labels": labels,
        "one_hot": one_hot(labels),
        "soft": softmax(rng.standard_normal((N, D))),
        "binary": binary,
        "signs": 2 * binary - 1,
        "any": rng.standard_normal((N, D)),
        "counts": rng.poisson(2.0, (N, D)).astype(float),
    }[kind]


ROWS: list[tuple[str, dict[str, Any], str, str]] = [
    ("SparseCategoricalCrossentropy", {"from_logits": True}, "any", "labels"),
    ("SparseCategoricalCrossentropy", {}, "softmax", "labels"),
    ("SparseCategoricalCrossentropy", {"ignore_class": 2}, "softmax", "labels"),
    (
        "SparseCategoricalCrossentropy",
        {"from_logits": True, "ignore_class": 2},
        "any",
        "labels",
    ),
    ("CategoricalCrossentropy", {"from_logits": True}, "any", "one_hot"),
    ("CategoricalCrossentropy", {"from_logits": True}, "any", "binary"),
    ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, "any", "soft"),
    ("CategoricalCrossentropy", {}, "softmax", "soft"),
    ("CategoricalCrossentropy", {}, "positive", "one_hot"),
    ("CategoricalCrossentropy", {"label_smoothing": 0.3}, "softmax", "one_hot"),
    ("BinaryCrossentropy", {"from_logits": True}, "any", "binary"),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, "any", "soft"),
    ("BinaryCrossentropy", {}, "sigmoid", "binary"),
    ("BinaryCrossentropy", {"label_smoothing": 0.3}, "sigmoid", "binary"),
    ("MeanSquaredError", {}, "any", "any"),
    ("MeanAbsoluteError", {}, "any", "any"),
    ("Huber", {}, "any", "any"),
    ("Huber", {"delta": 0.3}, "any", "any"),
    ("LogCosh", {}, "any", "any"),
    ("KLDivergence", {}, "softmax", "soft"),
    ("KLDivergence", {}, "softmax", "one_hot"),
    ("Hinge", {}, "any", "signs"),
    ("Hinge", {}, "any", "binary"),
    ("Hinge", {}, "any", "any"),
    ("SquaredHinge", {}, "any", "signs"),
    ("SquaredHinge", {}, "any", "binary"),
    ("CategoricalHinge", {}, "any", "one_hot"),
    ("Poisson", {}, "positive", "counts"),
    ("CosineSimilarity", {}, "any", "any"),
    ("CosineSimilarity", {"axis": 0}, "any", "any"),
]
"""Class, its arguments, and what kind of outputs and targets it is given."""


def name_of(row: tuple[str, dict[str, Any], str, str]) -> str:
    kind, given, outputs, target = row
    return "-".join([kind, *(f"{name}={value}" for name, value in given.items()), outputs, target])


@pytest.fixture(params=ROWS, ids=name_of)
def row(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any], str, str]:
    return request.param


def in_keras(
    kind: str,
    given: dict[str, Any],
    outputs: np.ndarray,
    target: np.ndarray,
    weight: Any = None,
    dtype: str = "float64",
    compiled: bool = False,
) -> Arrays:
    """Keras's loss, and its gradient with respect to the outputs."""
    from keras_impl.framework import keras, set_dtype, tf

    set_dtype(dtype)
    loss = getattr(keras.losses, kind)(**given)
    x = tf.constant(outputs, dtype)
    y = tf.constant(target, "int64" if target.dtype.kind == "i" else dtype)
    w = tf.constant(weight, dtype) if isinstance(weight, np.ndarray) else weight

    def run(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            found = loss(y, x, sample_weight=w)
            loss_sum = tf.reduce_sum(found * upstream_of(tuple(found.shape)))
        return found, tape.gradient(loss_sum, x)

    found, gradient = (tf.function(run) if compiled else run)(x)
    return found.numpy(), gradient.numpy()


def in_torch(
    kind: str,
    given: dict[str, Any],
    outputs: np.ndarray,
    target: np.ndarray,
    weight: Any = None,
    dtype: str = "float64",
    *,
    flavour: str,
) -> Arrays:
    """The same in PyTorch."""
    import torch

    from torch_impl import nn

    x = torch.from_numpy(outputs.copy()).to(getattr(torch, dtype)).requires_grad_()
    w = torch.from_numpy(weight).to(x.dtype) if isinstance(weight, np.ndarray) else weight
    loss = getattr(nn, kind)(**given, flavour=flavour)
    found = loss(x, torch.from_numpy(target), w)
    (found * torch.from_numpy(upstream_of(tuple(found.shape))).to(x.dtype)).sum().backward()
    assert found.dtype == x.dtype
    assert x.grad is not None
    return found.detach().numpy(), x.grad.numpy()


def upstream_of(shape: tuple[int, ...]) -> np.ndarray:
    """What losses of this shape are multiplied by before the gradient is taken."""
    return np.asarray(np.random.default_rng(2).uniform(0.5, 2.0, shape))


LIMITS = {dtype: 8 * float(np.finfo(dtype).eps) for dtype in DTYPES}
"""Relative to the largest entry: eight roundings. Measured is 2.7 on these rows, in both dtypes;
exponentials, logarithms and sums over N differ by one or two between the frameworks.
"""


def assert_same(
    found: Arrays, expected: Arrays, dtype: str = "float64", at_least: float = 0.0
) -> None:
    """Value and gradient: shape, dtype, NaN and infinity in the same places, the rest close.

    Relative to the largest entry, or to ``at_least`` if that is more.
    """
    for name, t, k in zip(("value", "gradient"), found, expected, strict=True):
        assert t.shape == k.shape, f"{name}: {t.shape} instead of {k.shape}"
        assert t.dtype == k.dtype, name
        finite = np.isfinite(k)
        assert np.array_equal(t[~finite], k[~finite], equal_nan=True), f"{name}: {t}, not {k}"
        assert np.isfinite(t[finite]).all(), f"{name}: {t}, not {k}"
        if finite.any():
            scale = max(abs(k[finite]).max(), at_least) or 1.0
            away = abs(t[finite] - k[finite]).max() / scale
            assert away <= LIMITS[dtype], f"{name}: {away:.1e} of {LIMITS[dtype]:.1e}"


WEIGHTS: dict[str, Callable[[int], Any]] = {
    "none": lambda n: None,
    "examples": lambda n: np.random.default_rng(3).uniform(0, 2, n),
}


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
    """Every loss in every reduction, with weights of all kinds."""
    kind, given, outputs, target = row
    count = D if given.get("axis") == 0 else N
    call = outputs_of(outputs), targets_of(target), WEIGHTS[weights](count), dtype
    k = in_keras(kind, {**given, "reduction": reduction}, *call)
    t = in_torch(kind, {**given, "reduction": reduction}, *call, flavour=flavour)
    assert_same(t, k, dtype)
    assert (k[1] != 0).any()


@pytest.mark.parametrize("weight", [0.3, 2, 0.0, np.zeros(N)], ids=["0.3", "2", "0", "zeros"])
@pytest.mark.parametrize("row", [ROWS[2], ROWS[14]], ids=name_of)
def test_weights_may_be_numbers_and_zero(
    row: tuple[str, dict[str, Any], str, str],
    reduction: str,
    weight: Any,
    keras_backend: Backend,
    flavour: str,
) -> None:
    """Keras 2 rounds numbers to float32; a mean over no weight at all is 0."""
    kind, given, outputs, target = row
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
"""Clipped, at a bound, saturated, tied, just on a margin, or of no finite size."""


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("edge", EDGES)
def test_extreme_outputs_are_treated_alike(
    edge: str,
    dtype: str,
    row: tuple[str, dict[str, Any], str, str],
    keras_backend: Backend,
    flavour: str,
) -> None:
    """Also where Keras gives NaN or infinity, or no gradient."""
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
    """What holds eagerly holds within ``tf.function``."""
    kind, given, outputs, target = row
    call = outputs_of(outputs), targets_of(target), WEIGHTS["examples"](N)
    if given.get("axis") == 0:
        call = *call[:2], None
    k = in_keras(kind, given, *call, compiled=True)
    assert_same(in_torch(kind, given, *call, flavour=flavour), k)


def test_empty_batches_are_treated_alike(
    row: tuple[str, dict[str, Any], str, str], keras_backend: Backend, flavour: str
) -> None:
    """Keras 2 gives 0, Keras 3 no losses at all."""
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
"""Outputs, target, weights of examples."""


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("kind", ["MeanSquaredError", "BinaryCrossentropy"])
def test_shapes_meet_as_in_keras(
    kind: str,
    shapes: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...] | None],
    reduction: str,
    keras_backend: Backend,
    flavour: str,
) -> None:
    """Where Keras matches ranks and broadcasts we do likewise; where it fails, with ValueError."""
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
    """A mean is over the others, and where there are none NaN in Keras 2 and 0 in Keras 3."""
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
    """Sequences and images, and labels in an axis of their own; also as floats."""
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
    """Images with axis=1 give what Keras gives with its classes last, or with its own axis=1."""
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


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("given_as", ["sequence", "mapping", "with_examples"])
@pytest.mark.parametrize(
    ("kind", "given", "outputs", "target"),
    [
        ("SparseCategoricalCrossentropy", {"from_logits": True}, "any", "labels"),
        ("SparseCategoricalCrossentropy", {}, "softmax", "labels"),
        ("CategoricalCrossentropy", {"label_smoothing": 0.1}, "softmax", "one_hot"),
        ("CategoricalCrossentropy", {"from_logits": True}, "any", "soft"),
        ("BinaryCrossentropy", {}, "sigmoid", "binary"),
        ("BinaryCrossentropy", {"from_logits": True, "reduction": "sum"}, "any", "one"),
    ],
)
def test_classes_are_weighed_as_fit_does(
    kind: str,
    given: dict[str, Any],
    outputs: str,
    target: str,
    given_as: str,
    dtype: str,
    keras_backend: Backend,
    flavour: str,
) -> None:
    """The loss is that of a Keras model's own ``train_on_batch`` with the same weights."""
    import torch

    from keras_impl.framework import keras, set_dtype
    from torch_impl import nn

    set_dtype(dtype)
    x, y = outputs_of(outputs).astype(dtype), targets_of("binary" if target == "one" else target)
    if target == "one":
        x, y = x[:, :1], y[:, 0]
    named = dict(enumerate([0.1, 1.7, 0.6, 3.0, 0.2]))
    examples = None
    if given_as == "with_examples":
        if flavour == "keras3":
            pytest.skip("Keras 3 takes weights either of classes or of examples")
        examples = np.random.default_rng(3).uniform(0, 2, N).astype(dtype)
    if given_as == "mapping" and flavour == "keras3":
        del named[1], named[4]
    inputs = keras.Input((x.shape[1],))
    identity = keras.layers.Dense(
        x.shape[1], use_bias=False, kernel_initializer=keras.initializers.Identity()
    )
    model = keras.Model(inputs, identity(inputs))
    model.compile(keras.optimizers.SGD(0.0), getattr(keras.losses, kind)(**given))
    k = np.asarray(model.train_on_batch(x, y, sample_weight=examples, class_weight=named))
    weights = list(named.values()) if given_as == "sequence" else named
    loss = getattr(nn, kind)(**given, flavour=flavour, class_weight=weights)
    t = loss(
        torch.from_numpy(x),
        torch.from_numpy(y[:, None] if target == "one" else y),
        None if examples is None else torch.from_numpy(examples),
    ).numpy()
    assert abs(t - k) <= LIMITS[dtype] * abs(k)


def test_weights_of_classes_and_examples_multiply(keras_backend: Backend, flavour: str) -> None:
    """As if the examples' weights had been multiplied beforehand, in sequences too."""
    rng = np.random.default_rng(0)
    weights = rng.uniform(0.1, 2, D).astype(np.float32).astype(float)
    outputs, labels = rng.standard_normal((4, 3, D)), rng.integers(0, D, (4, 3))
    kind, given = "SparseCategoricalCrossentropy", {"from_logits": True}
    for sample_weight in (None, 0.25, rng.uniform(0, 2, (4, 1)), rng.uniform(0, 2, (4, 3))):
        whole = weights[labels] * (1.0 if sample_weight is None else sample_weight)
        k = in_keras(kind, given, outputs, labels, whole)
        more = {**given, "class_weight": tuple(weights)}
        assert_same(in_torch(kind, more, outputs, labels, sample_weight, flavour=flavour), k)


@pytest.mark.parametrize("from_logits", [False, True])
def test_an_ordinary_training_loop_ends_where_fit_does(
    from_logits: bool, keras_backend: Backend, flavour: str
) -> None:
    """Five steps of gradient descent with weighted classes, written as PyTorch users do."""
    import torch

    from keras_impl.framework import keras, set_dtype
    from torch_impl import nn, optim

    set_dtype("float64")
    rng = np.random.default_rng(0)
    x, y, kernel = rng.standard_normal((N, 7)), targets_of("labels"), rng.standard_normal((7, D))
    weights = {0: 0.1, 1: 1.7, 2: 0.6, 3: 3.0, 4: 0.2}

    inputs = keras.Input((7,))
    dense = keras.layers.Dense(D, use_bias=False)
    logits = dense(inputs)
    outputs = logits if from_logits else keras.layers.Reshape((D,))(keras.layers.Softmax()(logits))
    keras_model = keras.Model(inputs, outputs)
    dense.kernel.assign(kernel)
    keras_loss = keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits)
    keras_model.compile(keras.optimizers.SGD(0.01), keras_loss)

    linear = torch.nn.Linear(7, D, bias=False, dtype=torch.float64)
    linear.weight.data.copy_(torch.from_numpy(kernel.T))
    model = linear if from_logits else torch.nn.Sequential(linear, torch.nn.Softmax(-1))
    loss = nn.SparseCategoricalCrossentropy(from_logits, class_weight=weights, flavour=flavour)
    rate = float(keras_model.optimizer.learning_rate.numpy())
    optimizer = optim.SGD(model.parameters(), lr=rate, flavour=flavour)
    for _ in range(5):
        keras_model.train_on_batch(x, y, class_weight=weights)
        optimizer.zero_grad()
        loss(model(torch.from_numpy(x)), torch.from_numpy(y)).backward()
        optimizer.step()
    k, t = dense.kernel.numpy(), linear.weight.detach().numpy().T
    assert abs(t - k).max() <= LIMITS["float64"] * abs(k).max()
    assert abs(k - kernel).max() > 1e-3


def naive(kind: str, outputs: Any, target: Any) -> Any:
    """The port that comes to mind."""
    import torch
    from torch.nn import functional as F

    weights = torch.arange(1.0, D + 1, dtype=outputs.dtype)
    ports = {
        "sparse": lambda: F.nll_loss(outputs.log(), target),
        "binary": lambda: F.binary_cross_entropy(outputs, target),
        "divergence": lambda: F.kl_div(outputs.log(), target, reduction="none").mean(),
        "log_cosh": lambda: (outputs - target + F.softplus(2 * (target - outputs))).mean() - LN_2,
        "huber": lambda: F.huber_loss(outputs, target, delta=0.3),
        "weighted": lambda: F.cross_entropy(outputs, target, weights),
        "many_hot": lambda: F.cross_entropy(outputs, target),
        "hinge": lambda: (1 - target * outputs).relu().mean(),
    }
    return ports[kind]()


LN_2 = float(np.log(2))
EXTREME = softmax(outputs_of("any", 20.0))

NAIVE: list[tuple[str, str, dict[str, Any], np.ndarray, str, float, float]] = [
    ("sparse", "SparseCategoricalCrossentropy", {}, EXTREME, "labels", 5.0, 1.0),
    ("binary", "BinaryCrossentropy", {}, np.round(EXTREME), "binary", 20.0, 1.0),
    ("divergence", "KLDivergence", {}, outputs_of("softmax"), "soft", 0.5, 0.1),
    ("log_cosh", "LogCosh", {}, 0 * EXTREME - 10.5, "any", 1e-9, 1e-12),
    ("huber", "Huber", {"delta": 0.3}, outputs_of("any"), "any", 1e-8, 5e-11),
    (
        "weighted",
        "SparseCategoricalCrossentropy",
        {"from_logits": True, "class_weight": range(1, D + 1)},
        outputs_of("any"),
        "labels",
        4.0,
        0.1,
    ),
    (
        "many_hot",
        "CategoricalCrossentropy",
        {"from_logits": True},
        outputs_of("any"),
        "binary",
        0.0,
        0.01,
    ),
    ("hinge", "Hinge", {}, np.ones((N, D)), "signs", 0.0, 0.007),
]
"""Name of the port, class, arguments, outputs, target; by how much value and gradient part."""


@pytest.mark.parametrize("row", NAIVE, ids=lambda row: row[0])
def test_naive_ports_are_seen(
    row: tuple[str, str, dict[str, Any], np.ndarray, str, float, float],
    keras_backend: Backend,
    flavour: str,
) -> None:
    """What PyTorch offers differs by what the docstrings say, so the comparison can fail."""
    import torch

    port, kind, given, outputs, target_kind, value, gradient = row
    if (port, flavour) == ("huber", "keras3"):
        pytest.skip("Keras 3 does not round delta")
    target = targets_of(target_kind)
    weight = None
    plain = {name: given[name] for name in given if name != "class_weight"}
    if "class_weight" in given:
        weight = np.asarray(given["class_weight"], dtype=float)[target]
    k = in_keras(kind, plain, outputs, target, weight)
    assert_same(in_torch(kind, given, outputs, target, flavour=flavour), k)
    x = torch.from_numpy(outputs.copy()).requires_grad_()
    found = naive(port, x, torch.from_numpy(target))
    (found * float(upstream_of(()))).backward()
    assert x.grad is not None
    port_found = found.detach().numpy(), x.grad.numpy()
    away = [abs(t - expected).max() for t, expected in zip(port_found, k, strict=True)]
    assert away[0] >= value
    assert away[1] >= gradient
    with pytest.raises(AssertionError):
        assert_same(port_found, k)


@pytest.mark.parametrize("scale", [1.0, 100.0])
@pytest.mark.parametrize("kind", ["SparseCategoricalCrossentropy", "CategoricalCrossentropy"])
def test_behind_its_softmax_keras_sees_logits(
    kind: str, scale: float, keras_backend: Backend, flavour: str
) -> None:
    """Then the counterpart is ``from_logits=True`` on the logits."""
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
    """A teacher's outputs and learnt weights get Keras's gradients; so do gradients themselves."""
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
    """It is moved, copied, saved with its class weights, and works under ``torch.func``."""
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
    """PyTorch's ``cross_entropy`` takes −100 for nothing; as on Keras's CPU, it is an error."""
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
    """One line that names what was received and what is accepted."""
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
    ],
)
def test_calls_refuse(
    kind: str, given: dict[str, Any], shapes: list[tuple[int, ...]], message: str
) -> None:
    """So do calls, before anything is computed."""
    import torch

    from torch_impl import nn

    with pytest.raises(ValueError, match="received") as caught:
        getattr(nn, kind)(**given)(*(torch.zeros(shape) for shape in shapes))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_integer_outputs_are_refused() -> None:
    """Class numbers given for outputs, the order of Keras's arguments, do not pass."""
    import torch

    from torch_impl import nn

    with pytest.raises(ValueError, match=r"outputs: received torch\.int64 of shape"):
        nn.SparseCategoricalCrossentropy()(torch.zeros(4, dtype=torch.int64), torch.zeros(4, 3))


def test_every_loss_stands_in_the_table() -> None:
    """What the package exports is compared with Keras, or is a base of it."""
    from torch_impl import nn

    exported = (getattr(nn, name) for name in nn.__all__)
    losses = {o.__name__ for o in exported if isinstance(o, type) and issubclass(o, nn.KerasLoss)}
    assert {kind for kind, *_ in ROWS} == losses - {"KerasLoss", "ClassificationLoss"}
