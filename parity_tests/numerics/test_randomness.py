"""Shared randomness: the same bits everywhere, with the distributions that its names promise."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from parity.numerics import random
from parity.reference import initializers
from parity.reference.initializers import INITIALIZERS
from parity.specs.base import Draw
from parity.specs.weights import draw, probe_weights
from parity_tests.support import cases

SHAPE, FANS = (300, 200), (300, 200)


def drawn(name: str, seed: int = 0) -> np.ndarray:
    return initializers.draw(name, SHAPE, FANS, random.stream(seed, name))


@pytest.mark.parametrize("name", INITIALIZERS)
def test_values_are_exact_in_float32(name: str) -> None:
    """A float32 and a float64 run start from the very same weights."""
    values = drawn(name)
    assert values.dtype == np.float64
    assert np.array_equal(values, values.astype(np.float32))


@pytest.mark.parametrize("name", [n for n in INITIALIZERS if n not in ("zeros", "ones")])
def test_another_seed_draws_other_values(name: str) -> None:
    """Seeds matter, and the same seed repeats itself."""
    assert np.array_equal(drawn(name), drawn(name))
    assert not np.array_equal(drawn(name), drawn(name, seed=1))


@pytest.mark.flavour
@pytest.mark.parametrize(
    "name", [n for n in INITIALIZERS if n not in ("torch_default", "orthogonal", "zeros", "ones")]
)
def test_distribution_is_that_of_keras(name: str, keras_backend) -> None:
    """Spread and range agree with what Keras's initialiser of that name draws."""
    from keras_impl.framework import keras

    theirs = np.asarray(keras.initializers.get(name)(SHAPE, dtype="float32"))
    ours = drawn(name)
    # 60,000 draws fix a standard deviation to 0.3 %, and extremes of a bounded law to less
    assert abs(ours.mean()) < 0.02 * theirs.std()
    assert 0.98 < ours.std() / theirs.std() < 1.02
    if name.endswith("uniform"):
        assert 0.99 < abs(ours).max() / abs(theirs).max() < 1.01


def test_orthogonal_is_orthogonal() -> None:
    """The columns of a tall orthogonal kernel are orthonormal to float32's precision."""
    values = drawn("orthogonal")
    assert abs(values.T @ values - np.eye(SHAPE[1])).max() < 200 * np.finfo(np.float32).eps


def test_torch_default_is_that_of_torch() -> None:
    """The bound is the one that ``nn.Linear`` draws within."""
    import torch

    torch.manual_seed(0)
    theirs = torch.nn.Linear(SHAPE[0], SHAPE[1]).weight.detach().numpy()
    assert 0.99 < abs(drawn("torch_default")).max() / abs(theirs).max() < 1.01


def test_unit_forget_sets_the_second_gate_alone() -> None:
    """Gates i, f, c, o: ones stand where f is."""
    bias = initializers.draw("unit_forget", (12,), (3, 12), random.stream(0, "x"))
    assert bias.tolist() == [0.0] * 3 + [1.0] * 3 + [0.0] * 6


def test_bits_do_not_depend_on_the_process() -> None:
    """Two other processes draw the same weights, masks and order for every variant."""
    code = (
        "import hashlib\n"
        "from parity.numerics import random\n"
        "from parity.specs import weights\n"
        "from parity_tests.support import cases\n"
        "for variant in cases.VARIANTS:\n"
        "    digest = hashlib.sha256()\n"
        "    for value in weights.probe_weights(cases.spec_of(*variant).model, 3).values():\n"
        "        digest.update(value.tobytes())\n"
        "    digest.update(random.epoch_order(3, 1, 99).tobytes())\n"
        "    digest.update(random.keep_mask(3, 'dropout_1', 7, 5, (4,), 0.5).tobytes())\n"
        "    print(*variant, digest.hexdigest())\n"
    )
    first, second = (
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": "."},
        ).stdout.splitlines()
        for seed in ("1", "2")
    )
    assert len(first) == len(cases.VARIANTS)
    assert first == second


@pytest.mark.parametrize(("family", "variant"), cases.VARIANTS)
def test_probe_weights_leave_no_constant_tensor(family: str, variant: str) -> None:
    """Every tensor holds differing values, so that an exchange or an omission shows."""
    weights = probe_weights(cases.spec_of(family, variant).model, 0)
    for name, value in weights.items():
        assert value.size == 1 or np.unique(value).size > 1, name
        assert np.array_equal(value, value.astype(np.float32)), name


def test_neighbours_are_one_ulp_away() -> None:
    """Each entry moves to the next float32 up or down, some up and some down."""
    weights = {"w": drawn("glorot_uniform")}
    moved = random.ulp_neighbour(weights, 0, 0)["w"]
    up = np.nextafter(weights["w"].astype(np.float32), np.float32(np.inf))
    down = np.nextafter(weights["w"].astype(np.float32), np.float32(-np.inf))
    assert ((moved == up) | (moved == down)).all()
    assert 0.4 < (moved == up).mean() < 0.6


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.5, 0.9])
def test_masks_drop_their_rate(rate: float) -> None:
    """The share kept is 1 − rate within what 100,000 draws allow; rate 0 keeps all."""
    kept = random.keep_mask(0, "dropout_1", 0, 1000, (100,), rate)
    assert kept.dtype == bool
    assert abs(kept.mean() - (1 - rate)) < 0.01
    assert rate > 0 or kept.all()


@pytest.mark.parametrize(
    ("kind", "mean", "spread"),
    [("mask", 0.5, 0.5), ("normal", 0.0, 1.0), ("uniform", 0.5, 12**-0.5)],
)
def test_draws_differ_by_step_and_layer_but_not_by_batch_size(
    kind: str, mean: float, spread: float
) -> None:
    """A step's draw is its own, and a short batch gets the first rows of a long one's."""
    wanted = Draw(kind, (500,), 0.5)
    drawn = [
        draw(0, layer, step, 80, wanted)
        for layer, step in (("dropout_1", 0), ("dropout_1", 1), ("dropout_2", 0))
    ]
    assert not any(np.array_equal(drawn[a], drawn[b]) for a, b in ((0, 1), (0, 2), (1, 2)))
    short = draw(0, "dropout_1", 0, 3, wanted)
    assert np.array_equal(short, drawn[0][:3])
    assert short.dtype == wanted.dtype
    assert abs(drawn[0].mean() - mean) < 0.02
    assert abs(drawn[0].std() - spread) < 0.02


def test_epochs_are_shuffled_anew() -> None:
    """Each epoch is a permutation, and no two epochs are the same."""
    orders = [random.epoch_order(0, epoch, 100) for epoch in range(3)]
    assert all(sorted(order) == list(range(100)) for order in orders)
    assert not np.array_equal(orders[0], orders[1])
