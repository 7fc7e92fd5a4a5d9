"""Every metric equals that of Keras after every batch of a stream."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parity.adapters.backend import Backend
from parity.numerics.tolerance import FLOAT64
from parity_tests.torch_impl.metrics.streams import (
    BOTH,
    FLOAT32_ULPS,
    ROWS,
    Row,
    in_keras,
    in_torch,
    one_hot,
    sparse,
    stream,
    ulps,
)

pytestmark = pytest.mark.flavour


AREA_ULPS = 16
"""Areas add up 199 such quotients: measured 8, of which Keras's own distance from its float64
result is 8 and PyTorch's at most 5."""


@pytest.mark.parametrize("weighting", ["unweighted", "weighted", "one_weight"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_equals_keras(
    row: Row, dtype: str, weighting: str, keras_backend: Backend, flavour: str
) -> None:
    """After every batch the result is Keras's."""
    if dtype == "float64" and flavour in row.float32_only:
        pytest.skip("Keras refuses float64 here, see test_keras_refuses_float64")
    if weighting == "one_weight" and row.name in ("F1Score", "FBetaScore"):
        pytest.skip("Keras's F scores take no single weight")
    if weighting == "one_weight" and "IoU" in row.name and flavour == "tf_keras":
        pytest.skip("Keras 2's IoU takes no single weight")
    expected = in_keras(row, weighting, dtype)
    found = in_torch(row, weighting, dtype, flavour)
    for step, (k, t) in enumerate(zip(expected, found, strict=True)):
        assert k.shape == t.shape
        if k.dtype == np.float64:
            assert abs(k - t).max() <= FLOAT64["forward_eval"].limit, f"batch {step}"
        else:
            limit = AREA_ULPS if row.name == "AUC" else FLOAT32_ULPS
            assert ulps(t, k, row.scale) <= limit, f"batch {step}: {t} for {k}"
    assert any((abs(k) > 0).any() for k in expected), "nothing but zeros was compared"


REFUSED = [
    ("TopKCategoricalAccuracy", {"k": 2}, BOTH),
    ("SparseTopKCategoricalAccuracy", {"k": 2}, BOTH),
    ("Precision", {"top_k": 2}, ("tf_keras",)),
    ("F1Score", {}, ("tf_keras",)),
]


@pytest.mark.parametrize(("name", "given", "flavours"), REFUSED, ids=str)
def test_keras_refuses_float64(
    name: str,
    given: dict[str, Any],
    flavours: tuple[str, ...],
    keras_backend: Backend,
    flavour: str,
) -> None:
    """Why some rows are compared in float32 only: as long as it is so, say so."""
    from keras_impl.framework import keras, set_dtype, tf

    if flavour not in flavours:
        pytest.skip("this Keras takes float64")
    set_dtype("float64")
    outputs, target, _ = (sparse if name.startswith("Sparse") else one_hot)(
        np.random.default_rng(0), 8
    )
    metric = getattr(keras.metrics, name)(**given)

    def run() -> Any:
        metric.update_state(tf.constant(target.astype("float64")), tf.constant(outputs))
        return metric.result()

    with pytest.raises((tf.errors.InvalidArgumentError, TypeError)):
        run()


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_reset_forgets(row: Row, flavour: str) -> None:
    """After a reset the same batches give the same result, and half of them another."""
    import torch

    from torch_impl import metrics

    metric = getattr(metrics, row.name)(**row.given, flavour=flavour)
    found = []
    for _ in range(2):
        for outputs, target, weight in stream(row.batches):
            weight = None if row.name == "F1Score" else torch.from_numpy(weight)
            metric.update(torch.from_numpy(outputs), torch.from_numpy(target), weight)
        found.append(metric.compute())
        metric.reset()
    assert torch.equal(*found)
    assert found[0].dtype == torch.float32
    assert not metric.state


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_nothing_is_read_back(row: Row, flavour: str) -> None:
    """State and result stay on the outputs' device: it works on one that holds no numbers."""
    import torch

    from torch_impl import metrics

    metric = getattr(metrics, row.name)(**row.given, flavour=flavour)
    for outputs, target, weight in stream(row.batches):
        given = (torch.from_numpy(values).to("meta") for values in (outputs, target, weight))
        metric.update(*given)
    assert metric.compute().device.type == "meta"
    assert {tensor.device.type for tensor in metric.state.values()} == {"meta"}


@pytest.mark.parametrize(
    "name",
    ["Accuracy", "BinaryAccuracy", "SparseCategoricalAccuracy", "Precision", "Recall", "AUC"],
)
def test_before_the_first_batch(name: str, keras_backend: Backend, flavour: str) -> None:
    """Without any batch the result is Keras's zero."""
    from keras_impl.framework import keras
    from torch_impl import metrics

    expected = np.asarray(getattr(keras.metrics, name)().result())
    assert getattr(metrics, name)(flavour=flavour).compute().numpy() == expected == 0.0
