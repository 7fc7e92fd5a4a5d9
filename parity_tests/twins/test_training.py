"""Training as users run it: chunks, short last batches and masks change nothing."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from parity.adapters.backend import Backend
from parity.data import batches
from parity.numerics import tolerance
from parity.reference.optimizers.table import OPTIMIZERS
from parity.specs.registry import MODELS
from parity.specs.weights import probe_weights
from parity_tests.support import cases
from parity_tests.support.selection import first_of_each

pytestmark = pytest.mark.flavour

FIRST_VARIANTS = [(family, next(iter(cls.variants()))) for family, cls in MODELS.items()]
TRAINED = [*FIRST_VARIANTS, ("dropout", "rate_0.5"), ("rnn", "lstm-1-uni-variable")]
EPOCHS = 3


def losses_of(backend: Backend, spec, dtype: str, chunk_steps: int) -> np.ndarray:
    """Loss of every step over some epochs, each of which ends in a short batch."""
    train, _ = cases.splits_of(spec)
    model = backend.create(spec, dtype)
    model.feed(train)
    steps = EPOCHS * batches.steps_per_epoch(spec.training, len(train.x))
    chunks = batches.chunks(spec, len(train.x), steps, chunk_steps)
    return np.concatenate([model.train(chunk) for chunk in chunks])


@pytest.mark.parametrize(
    ("family", "variant"), first_of_each(TRAINED, lambda *one: one, lambda family, _: family)
)
def test_normal_runs_see_the_same_batches_and_masks(
    family: str, variant: str, flavour: str, keras_backend: Backend, torch_backend: Backend
) -> None:
    """With one seed, every step's loss is the same in both, from the spec's own initial weights."""
    spec = cases.spec_of(family, variant, optimizer="momentum", flavour=flavour)
    k = losses_of(keras_backend, spec, "float64", 100)
    t = losses_of(torch_backend, spec, "float64", 100)
    assert k.shape == t.shape
    assert k[-1] < k[0], "nothing was learnt"
    assert abs(k - t).max() <= tolerance.FLOAT64["steps"].limit * abs(k).max()


@pytest.mark.parametrize("which", ["keras_backend", "torch_backend"])
def test_chunks_change_nothing(which: str, flavour: str, request: pytest.FixtureRequest) -> None:
    """Step by step or in one go, the losses are the same bits."""
    backend = request.getfixturevalue(which)
    spec = cases.spec_of("dropout", "rate_0.5", flavour=flavour)
    one = losses_of(backend, spec, "float32", 1)
    assert np.array_equal(one, losses_of(backend, spec, "float32", 100))


@pytest.mark.parametrize(
    ("family", "variant"), first_of_each(TRAINED, lambda family, _: family, lambda family, _: "one")
)
def test_long_epochs_compute_the_same(
    family: str,
    variant: str,
    flavour: str,
    keras_backend: Backend,
    torch_backend: Backend,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Keras's other graph, made where epochs are long, trains as PyTorch does too."""
    import keras_impl.ladder.training

    spec = cases.spec_of(family, variant, optimizer="adam", flavour=flavour)
    t = losses_of(torch_backend, spec, "float64", 100)
    monkeypatch.setattr(keras_impl.ladder.training, "LONG_EPOCH", 1)
    k = losses_of(keras_backend, spec, "float64", 100)
    assert abs(k - t).max() <= tolerance.FLOAT64["steps"].limit * abs(k).max()


@pytest.mark.parametrize(
    "name", first_of_each(zip(sorted(OPTIMIZERS, key=lambda name: name != "adam")), lambda _: "one")
)
def test_long_epochs_move_weights_the_same(
    name: str, flavour: str, keras_backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every optimizer compiled by XLA leaves the weights that it leaves otherwise."""
    import keras_impl.ladder.training

    spec = cases.spec_of("rnn", "lstm-1-uni-fixed", optimizer=name, flavour=flavour)
    train, _ = cases.splits_of(spec)
    found = []
    for long_epoch in (10**9, 1):
        monkeypatch.setattr(keras_impl.ladder.training, "LONG_EPOCH", long_epoch)
        model = keras_backend.create(spec, "float64")
        model.feed(train)
        assert model.long == (long_epoch == 1)
        for chunk in batches.chunks(spec, len(train.x), 10, 10):
            model.train(chunk)
        found.append(model.weights())
    for parameter, weights in found[0].items():
        away = abs(weights - found[1][parameter]).max()
        assert away <= tolerance.FLOAT64["step"].limit * abs(weights).max(), parameter


@pytest.mark.parametrize(
    ("family", "variant", "which"),
    first_of_each(
        [(*row, which) for row in TRAINED for which in ("torch_backend", "keras_backend")],
        lambda family, variant, which: (family, which),
        lambda family, variant, which: which,
    ),
)
def test_mapped_examples_train_the_same(
    which: str, family: str, variant: str, flavour: str, tmp_path, request: pytest.FixtureRequest
) -> None:
    """Examples read from a mapped file, chunk by chunk, give the bits that those in memory give."""
    backend = request.getfixturevalue(which)
    spec = cases.spec_of(family, variant, flavour=flavour)
    train, _ = cases.splits_of(spec)
    np.save(tmp_path / "x.npy", train.x)
    mapped = dataclasses.replace(train, x=np.load(tmp_path / "x.npy", mmap_mode="r"))
    chunk = next(batches.chunks(spec, len(train.x), 4, 4))
    losses = []
    for examples in (train, mapped):
        model = backend.create(spec, "float32")
        model.feed(examples)
        losses.append([*model.train(chunk), *model.train_watched(chunk.part(1, 2))[0]])
    assert losses[0] == losses[1]


def test_denormal_numbers_count_as_zero_while_training(
    keras_backend: Backend, torch_backend: Backend
) -> None:
    """TensorFlow takes them for zero; PyTorch does so in our training, and nowhere else."""
    import torch

    tiny = np.full(1 << 17, 2e-38, np.float32)  # enough for more than one thread
    tf, torch_framework = keras_backend.framework.tf, torch_backend.framework
    assert not tf.multiply(tiny, np.float32(0.1)).numpy().any()
    with torch_framework.denormals_as_zero():
        assert not torch.from_numpy(tiny).mul(0.1)[:100].any()
    assert torch.from_numpy(tiny).mul(0.1)[:100].all()


@pytest.mark.parametrize("which", ["keras_backend", "torch_backend"])
@pytest.mark.parametrize(("family", "variant"), FIRST_VARIANTS)
def test_probing_leaves_the_model_as_it_was(
    which: str, family: str, variant: str, flavour: str, request: pytest.FixtureRequest
) -> None:
    """Traces, losses and gradients move neither weights nor buffers."""
    backend = request.getfixturevalue(which)
    spec = cases.spec_of(family, variant, flavour=flavour)
    train, _ = cases.splits_of(spec)
    model = backend.create(spec, "float64")
    before = model.weights()
    batch = next(batches.chunks(spec, len(train.x), 1, 1)).first_batch(train)
    model.trace(batch, training=True)
    model.loss(batch)
    model.gradients(batch)
    for name, value in model.weights().items():
        assert np.array_equal(before[name], value), name


@pytest.mark.parametrize("which", ["keras_backend", "torch_backend"])
@pytest.mark.parametrize(("family", "variant"), FIRST_VARIANTS)
def test_weights_go_in_and_out_unchanged(
    which: str, family: str, variant: str, flavour: str, request: pytest.FixtureRequest
) -> None:
    """Canonical weights set in a model come back as the same bits."""
    backend = request.getfixturevalue(which)
    spec = cases.spec_of(family, variant, flavour=flavour)
    model = backend.create(spec, "float64")
    weights = probe_weights(spec.model, 5)
    model.set_weights(weights)
    for name, value in model.weights().items():
        assert np.array_equal(weights[name], value), name
