"""Each layer by itself, fed what the other framework's layer received, in both directions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity import rungs
from parity.adapters.backend import Backend, Model
from parity.ladder import record
from parity.ladder.climb import Ladder
from parity.ladder.header import create_header
from parity.ladder.replay import replay
from parity.numerics import distance, tolerance
from parity.system.memory import PeakMemory
from parity_tests.support import cases
from parity_tests.support.selection import first_of_each

CASES = [
    ("softmax", "hidden_32_16-probabilities"),
    ("dropout", "rate_0.5"),
    ("cnn", "bn-c3-k3-s2-n8"),
    ("cnn", "average_same"),
    ("rnn", "lstm-2-uni-variable"),
    ("rnn", "gru_after-2-bi-variable"),
    ("rnn", "tokens-gru"),
    ("softmax", "penalties"),  # a penalty on what a layer returns is paid by what it is fed to
    ("cnn", "penalties"),
    ("cnn", "augmented"),
]


DIRECTIONS = [("keras", "torch"), ("torch", "keras")]


TURNS = [DIRECTIONS, DIRECTIONS[::-1]]


@pytest.fixture
def backends(keras_backend: Backend, torch_backend: Backend) -> dict[str, Backend]:
    return {"keras": keras_backend, "torch": torch_backend}


class Off:
    """A backend whose models have the weights of one layer a little off."""

    def __init__(self, backend: Backend, layer: str) -> None:
        self._backend, self._layer = backend, layer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def create(self, spec: Any, dtype: str) -> Model:
        """As ever, but what is set is not what was given."""
        model = self._backend.create(spec, dtype)
        set_weights = model.set_weights

        def changed(weights: Mapping[str, np.ndarray]) -> None:
            off = {f"{self._layer}/{entry}" for entry in ("kernel", "gamma")} & weights.keys()
            assert off
            set_weights({name: x * (1 + 1e-6 * (name in off)) for name, x in weights.items()})

        model.set_weights = changed  # type: ignore[method-assign]
        return model


def far(teacher: Path, made: Ladder) -> set[tuple[str, str]]:
    """Rung and name of the tensors of a replay that are further off than float64 allows."""
    found = set()
    with record.read(teacher) as whole:
        for name, value in made.tensors.items():
            _, rung, rest = rungs.split(name)
            if rest in whole.header.null_gradients:
                continue
            reference = whole.tensor(name)
            assert reference.shape == value.shape, name
            (apart,) = distance.measure(value.shape, reference.reshape(-1), value.reshape(-1))
            away = apart.relative
            if not away <= tolerance.FLOAT64[rung].limit:
                found.add((rung, rest))
    return found


@pytest.mark.flavour
@pytest.mark.parametrize(
    ("family", "variant", "of", "by"),
    first_of_each(
        [(*case, *way) for place, case in enumerate(CASES) for way in TURNS[place % 2]],
        lambda family, variant, of, by: variant,
        lambda family, variant, of, by: family,
    ),
)
def test_a_faithful_layer_agrees_by_itself(
    of: str, by: str, family: str, variant: str, flavour: str, backends: dict[str, Backend],
    tmp_path: Path,
) -> None:  # fmt: skip
    """Outputs and gradients of every layer, each fed the other framework's own, padded or not."""
    spec = cases.spec_of(family, variant, flavour=flavour)
    teacher = cases.record_of(backends[of], spec, tmp_path / of, steps=1)
    with record.read(teacher) as whole:
        made = replay(backends[by], whole, cases.splits_of(spec)[0])
        header = create_header(
            "replay", backends[by], spec, steps=0, dtypes=("float64",), device="cpu", ladder=made,
            peak=PeakMemory(), teacher=whole.sha256,
        )  # fmt: skip
    assert far(teacher, made) == set()
    record.write(tmp_path / "replay", header, made.tensors)
    with record.read(tmp_path / "replay") as written:
        names = {name.split("/", 1)[1] for name in written.names}
    layers = [layer.name for layer in spec.model.layers()]
    trained = [row.name for row in spec.model.parameters() if row.trainable]
    assert names == {
        *(f"{rung}/{layer}" for rung in rungs.FORWARD for layer in layers),
        *(f"gradients/{layer}/output" for layer in layers),
        *(f"gradients/{parameter}" for parameter in trained),
    }


WRONG = [
    ("softmax", "hidden_32_16-logits", "dense_1", {"dense_1"}),
    ("softmax", "hidden_32_16-logits", "logits", {"logits"}),
    ("cnn", "bn-c1-k3-s1-n8", "conv_1", {"conv_1"}),
    ("cnn", "bn-c1-k3-s1-n8", "batch_norm_2", {"batch_norm_2"}),
    ("rnn", "lstm-2-uni-variable", "rnn_1", {"rnn_1"}),
]


@pytest.mark.flavour
@pytest.mark.parametrize(
    ("family", "variant", "layer", "outputs", "of", "by"),
    first_of_each(
        [(*case, *way) for place, case in enumerate(WRONG) for way in TURNS[place % 2]],
        lambda family, variant, layer, *_: (variant, layer),
        lambda family, *_: family,
    ),
)
def test_a_layer_that_is_off_is_off_alone(
    of: str, by: str, family: str, variant: str, layer: str, outputs: set[str], flavour: str,
    backends: dict[str, Backend], tmp_path: Path,
) -> None:  # fmt: skip
    """No other layer's output fails with it, for each is fed what is right."""
    spec = cases.spec_of(family, variant, flavour=flavour)
    teacher = cases.record_of(backends[of], spec, tmp_path / of, steps=1)
    with record.read(teacher) as whole:
        wrong = Off(backends[by], layer)
        made = replay(wrong, whole, cases.splits_of(spec)[0])  # type: ignore[arg-type]
    found = far(teacher, made)
    for rung in rungs.FORWARD:
        assert {name for where, name in found if where == rung} == outputs
    order = [entry.name for entry in spec.model.layers()]
    before = order[order.index(layer) - 1]
    backward = {name.split("/")[0] for rung, name in found if rung == "gradients"}
    assert backward <= {layer, before}  # its own parameters, and what it hands down


def test_a_replay_leaves_the_model_as_it_was(
    flavour: str, backends: dict[str, Backend], tmp_path: Path
) -> None:
    """Statistics that a forward pass in training mode moves stay where they were."""
    spec = cases.spec_of("cnn", "bn-c1-k3-s1-n8", flavour=flavour)
    kept: list[tuple[Model, dict[str, np.ndarray]]] = []

    class Watched(Off):
        def create(self, spec: Any, dtype: str) -> Model:
            model = self._backend.create(spec, dtype)
            set_weights = model.set_weights

            def setting(weights: Mapping[str, np.ndarray]) -> None:
                set_weights(weights)
                kept.append((model, model.weights()))

            model.set_weights = setting  # type: ignore[method-assign]
            return model

    teacher = cases.record_of(backends["torch"], spec, tmp_path / "torch", steps=1)
    for backend in backends.values():
        with record.read(teacher) as whole:
            watched = Watched(backend, "")
            replay(watched, whole, cases.splits_of(spec)[0])  # type: ignore[arg-type]
    assert len(kept) == 2
    for model, before in kept:
        for name, value in model.weights().items():
            np.testing.assert_array_equal(value, before[name], err_msg=name)
