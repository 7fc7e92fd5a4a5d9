"""Names of tensors: what each one says, and after which steps weights are kept."""

from __future__ import annotations

import pytest

from parity import rungs
from parity.ladder import contents
from parity.ladder.record import Header
from parity.rungs import TensorRole
from parity.specs.base import Layer
from parity.specs.softmax import SoftmaxSpec
from parity_tests.support import records
from parity_tests.support.cases import VARIANTS

OF_LAYERS = ("output", "mask", "output gradient")
OF_PARAMETERS = ("parameter", "gradient", "slot", "weight")


def written(rung: str, role: TensorRole, slot: str) -> str:
    """Write the rest of a tensor's name from its role: the inverse of :func:`rungs.role_of`."""
    inner = {
        "input": role.owner,
        "mask": f"{role.owner}/mask",
        "output": role.owner,
        "output gradient": f"{role.owner}/output",
        "parameter": role.parameter,
        "gradient": role.parameter,
        "slot": f"slots/{slot}/{role.parameter}",
        "weight": f"weights/{role.parameter}",
        "other": role.owner,
    }[role.kind]
    return f"{role.step}/{inner}" if rung == "steps" and role.step else str(inner)


def misread(header: Header) -> list[str]:
    """Names that a record must hold and that are not read as what they were written for."""
    model = header.spec.model
    layers = {layer.name for layer in model.layers()}
    parameters = {row.name for row in model.parameters()}
    found = []
    for dtype in header.dtypes:
        for name in contents.expected(header, dtype):
            _, rung, rest = rungs.split(name)
            role = rungs.role_of(rung, rest)
            slot = rest.split("/")[1] if role.kind == "slot" else ""
            right = written(rung, role, slot) == rest and {
                **dict.fromkeys(OF_LAYERS, role.owner in layers),
                **dict.fromkeys(
                    OF_PARAMETERS,
                    role.parameter in parameters and role.owner in layers,
                ),
                "input": role.owner in rungs.MODEL_INPUTS and role.owner not in layers,
                "other": rung in ("loss", "predictions", rungs.TRAINING)
                or role.owner in ("loss", "losses"),
            }.get(role.kind)
            if not right or (slot and slot not in header.spec.optimizer.slots):
                found.append(name)
    return found


@pytest.mark.parametrize(("family", "variant"), VARIANTS)
@pytest.mark.parametrize("kind", ["ladder", "replay"])
def test_every_name_says_one_thing(kind: str, family: str, variant: str) -> None:
    """Every name that a variant's record holds is read back as the thing it was written for."""
    spec = records.spec_of(family, variant)
    dtypes = ("float64",) if kind == "replay" else ("float64", "float32")
    header = records.header("keras", spec, dtypes, kind=kind, steps=12, seeds=3, epochs=2)
    assert misread(header) == []


@pytest.mark.parametrize("name", ["input", "labels", "a/b", "a/mask"])
def test_a_layer_of_an_odd_name_is_misread(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check above sees a layer whose name says something else already."""
    monkeypatch.setattr(SoftmaxSpec, "layers", lambda _: (Layer(name, (4,)),))
    header = records.header("keras", records.spec(), ("float64",))
    assert misread(header)


@pytest.mark.parametrize(
    ("rung", "rest", "role"),
    [
        ("parameters", "conv_1/kernel", TensorRole("parameter", "conv_1", "conv_1/kernel")),
        ("forward_eval", "input", TensorRole("input", "input")),
        ("forward_eval", "conv_1", TensorRole("output", "conv_1")),
        ("forward_train", "dropout_1/mask", TensorRole("mask", "dropout_1")),
        ("loss", "loss", TensorRole("other", "loss")),
        ("gradients", "conv_1/kernel", TensorRole("gradient", "conv_1", "conv_1/kernel")),
        ("gradients", "conv_1/output", TensorRole("output gradient", "conv_1")),
        ("step", "labels", TensorRole("input", "labels", None, 1)),
        ("step", "dropout_1/mask", TensorRole("mask", "dropout_1", None, 1)),
        ("step", "slots/m/conv_1/bias", TensorRole("slot", "conv_1", "conv_1/bias", 1)),
        ("step", "weights/conv_1/bias", TensorRole("weight", "conv_1", "conv_1/bias", 1)),
        ("step", "loss", TensorRole("other", "loss", None, 1)),
        ("steps", "losses", TensorRole("other", "losses")),
        ("training", "losses", TensorRole("other", "losses")),
        ("training", "labels", TensorRole("other", "labels")),
        ("training", "history/val_loss", TensorRole("other", "history/val_loss")),
        ("training", "weights/conv_1/bias", TensorRole("weight", "conv_1", "conv_1/bias")),
        ("steps", "12/loss", TensorRole("other", "loss", None, 12)),
        ("steps", "²/loss", TensorRole("other", "²/loss")),
        ("steps", "02/loss", TensorRole("other", "02/loss")),
        ("steps", f"{'9' * 5000}/loss", TensorRole("other", f"{'9' * 5000}/loss")),
        ("steps", "12/input", TensorRole("input", "input", None, 12)),
        ("steps", "12/dropout_1/mask", TensorRole("mask", "dropout_1", None, 12)),
        ("steps", "12/weights/conv_1/bias", TensorRole("weight", "conv_1", "conv_1/bias", 12)),
        ("steps", "weights/conv_1/bias", TensorRole("weight", "conv_1", "conv_1/bias")),
        ("predictions", "labels", TensorRole("other", "labels")),
        ("predictions", "over_seeds/loss", TensorRole("other", "over_seeds/loss")),
    ],
)
def test_role(rung: str, rest: str, role: TensorRole) -> None:
    """Kind, layer, parameter and step, one example of each."""
    assert rungs.role_of(rung, rest) == role


@pytest.mark.parametrize(
    ("steps", "kept"),
    [
        (1, []),
        (2, []),
        (3, [2]),
        (10, [*range(2, 10)]),
        (11, [*range(2, 11)]),
        (21, [*range(2, 11), 20]),
        (200, [*range(2, 11), 20, 50, 100]),
        (10_000, [*range(2, 11), 20, 50, 100, 200, 500, 1000, 2000, 5000]),
    ],
)
def test_snapshots(steps: int, kept: list[int]) -> None:
    """Each of the first ten steps, then three in each power of ten; never the first or the last."""
    assert rungs.snapshots(steps) == kept


@pytest.mark.parametrize("steps", [1, 2, 3, 30])
def test_weights_between_are_called_for(steps: int) -> None:
    """A record has weights after just those steps in both dtypes, and what was fed in float64."""
    header = records.header("keras", records.spec(), ("float64", "float32"), steps=steps)
    for dtype in header.dtypes:
        found: dict[str, set[int]] = {}
        for name in contents.expected(header, dtype):
            role = rungs.role_of(*rungs.split(name)[1:])
            if "/steps/" in name and role.step:
                found.setdefault(role.kind, set()).add(role.step)
        between = set(rungs.snapshots(steps))
        assert found.get("weight", set()) == between
        fed = between | ({steps} if steps > 1 else set())
        assert found.get("input", set()) == (fed if dtype == "float64" else set())


@pytest.mark.parametrize(
    ("steps", "text"), [(1, "after the last step"), (2, "after 2 steps"), (500, "after 500 steps")]
)
def test_title_counts_the_steps(steps: int, text: str) -> None:
    """What a person reads of the k steps says how many."""
    assert rungs.title("steps", steps) == text
