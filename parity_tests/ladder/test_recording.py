"""Recording: what the ensemble leaves, and that a climb puts everything back."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from parity.adapters.backend import Backend
from parity.data import batches
from parity.ladder import climb
from parity.numerics.ensemble import spread
from parity.specs import weights
from parity_tests.conftest import Run
from parity_tests.support import cases


def test_spread_is_the_largest_rms_of_the_members() -> None:
    """Of two members the one further away counts; integers have no spread."""
    base = {"loss/loss": np.array([1.0, 2.0]), "predictions/labels": np.array([1, 2])}
    rounding: dict[str, float] = {}
    for away in (3.0, 1.0):
        spread(rounding, "float32", base, {**base, "loss/loss": base["loss/loss"] + away})
    assert rounding == {"float32/loss/loss": 3.0}


@pytest.mark.parametrize("place", [0, 1])
def test_spread_keeps_a_member_that_is_not_finite(place: int) -> None:
    """A NaN in any member makes the spread infinite, whichever member comes last."""
    base = {"loss/loss": np.array([1.0])}
    members = [{"loss/loss": np.array([1.5])}, {"loss/loss": np.array([1.5])}]
    members[place] = {"loss/loss": np.array([np.nan])}
    rounding: dict[str, float] = {}
    for member in members:
        spread(rounding, "float32", base, member)
    assert math.isinf(rounding["float32/loss/loss"])


def test_null_gradients_are_those_of_biases_before_batch_norm(torch_backend: Backend) -> None:
    """Measured on a CNN, they are its convolutions' biases and nothing else."""
    spec = cases.spec_of("cnn", "bn-c1-k3-s1-n8")
    ladder = climb.climb(torch_backend, spec, *cases.splits_of(spec), ("float64",), 2)
    assert set(ladder.null_gradients) == {"conv_1/bias", "conv_2/bias"}
    for name in ladder.null_gradients:
        before = ladder.tensors[f"float64/parameters/{name}"]
        assert np.array_equal(before, ladder.tensors[f"float64/steps/weights/{name}"])


def test_without_batch_norm_no_gradient_is_null(torch_backend: Backend) -> None:
    """The same CNN without batch norm trains every bias."""
    spec = cases.spec_of("cnn", "plain-c1-k3-s1-n8")
    ladder = climb.climb(torch_backend, spec, *cases.splits_of(spec), ("float64",), 2)
    assert not ladder.null_gradients


def test_the_ensemble_leaves_the_threads_as_they_were(torch_backend: Backend) -> None:
    """Members with other thread counts change the process for themselves only."""
    spec = cases.spec_of("softmax", "regression-logits")
    before = torch_backend.threads()
    climb.climb(torch_backend, spec, *cases.splits_of(spec), ("float32",), 2)
    assert torch_backend.threads() == before


def test_padded_steps_are_zero(keras_backend: Backend, torch_backend: Backend) -> None:
    """Both backends leave zeros beyond each sequence's length, and only there."""
    spec = cases.spec_of("rnn", "simple-2-uni-variable")
    for backend in (keras_backend, torch_backend):
        ladder = climb.climb(backend, spec, *cases.splits_of(spec), ("float64",), 1)
        valid = (ladder.tensors["float64/forward_eval/rnn_1"] != 0).any(2).sum(1)
        assert 7 <= valid.min() < valid.max() <= 29


@pytest.mark.full("keras3")
@pytest.mark.flavour
def test_a_users_keras_json_changes_nothing(tmp_path: Path, flavour: str, run_here: Run) -> None:
    """Image format and epsilon from ``~/.keras/keras.json`` do not reach a spec's meaning."""
    settings = {"image_data_format": "channels_first", "epsilon": 1e-3, "floatx": "float16"}
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "keras.json").write_text(json.dumps(settings))
    flags = ["--model", "cnn", "--dataset", "digits", "--epochs", "1", "--flavour", flavour]
    flags += ["--channels", "4", "--hidden", "8", "--threads", "1"]
    words = ["train", *flags, "--output", "probabilities"]
    odd = subprocess.run(
        [sys.executable, "-m", "keras_impl", *words],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "KERAS_HOME": str(tmp_path / "odd")},
    )
    assert odd.stdout.splitlines()[1] == run_here("keras", *words).splitlines()[1]


@pytest.mark.parametrize(
    ("family", "variant"),
    [("cnn", "bn-c1-k3-s1-n8"), ("dropout", "rate_0.5"), ("rnn", "lstm-2-uni-variable")],
)
def test_a_member_differs_from_the_run_in_rounding_alone(
    family: str, variant: str, torch_backend: Backend
) -> None:
    """Its batches are in another order, but what it leaves is in that of the run."""
    spec = cases.spec_of(family, variant, "sgd")
    train, test = cases.splits_of(spec)
    model = torch_backend.create(spec, "float64")
    model.feed(train)
    start = weights.probe_weights(spec.model, 0)
    plan = batches.sample(spec, len(train.x), 6)
    base = climb._rungs(model, spec, start, plan, train, test)
    other = climb._member(model, spec, 0, "float64", start, plan, train, test)
    assert base.keys() == other.keys()
    assert np.array_equal(base["forward_train/input"], other["forward_train/input"])
    for name, value in base.items():
        if value.dtype.kind == "f":
            away = abs(value - other[name]).max() / max(abs(value).max(), 1e-300)
            null = name.startswith("gradients/conv") and name.endswith("bias")  # rounding alone
            assert away < 1e-11 or null, name
