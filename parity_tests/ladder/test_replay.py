"""Replays: each layer by itself, fed what another record's layer was, in both directions."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity import rungs
from parity.adapters.backend import Backend, Model
from parity.cli import parser
from parity.data import datasets
from parity.errors import ParityError
from parity.ladder import record
from parity.ladder.climb import Ladder
from parity.ladder.header import create_header
from parity.ladder.replay import replay
from parity.numerics import distance, tolerance
from parity.system.memory import PeakMemory
from parity.verdict.compare import compare
from parity_tests.conftest import Refused
from parity_tests.support import cases, records
from parity_tests.support.records import Pair
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


def command(entry: str, *flags: object) -> subprocess.CompletedProcess[str]:
    start = ["-c", "from parity.cli import main; main()"] if entry == "parity" else []
    return subprocess.run(
        [sys.executable, *(start or ["-m", f"{entry}_impl"]), *map(str, flags)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory, flavour: str) -> Path:
    """A model with padded sequences, recorded by both implementations, each replayed by the other.

    The Keras record's replay by torch is ``torch-replay``, the other ``keras-replay``.
    """
    folder = tmp_path_factory.mktemp("replays")
    flags = ["--model", "rnn", "--dataset", "japanese_vowels", "--units", "5", "--steps", "1"]
    flags += ["--dtype", "float64", "--threads", "1", "--flavour", flavour]
    for side in ("keras", "torch"):
        done = command(side, "record", *flags, "--out", folder / side)
        assert (done.returncode, done.stderr) == (0, "")
    for of, by in DIRECTIONS:
        out = folder / f"{by}-replay"
        done = command(by, "replay", folder / of, "--threads", "1", "--out", out)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"{by} rnn: {out}\n"
    return folder


@pytest.mark.full("keras3")
@pytest.mark.flavour
@pytest.mark.parametrize(("of", "by"), DIRECTIONS)
def test_a_replay_from_the_command_line(recorded: Path, of: str, by: str) -> None:
    """It names its teacher, is of the same run, and agrees with it; padding is zero in both."""
    with record.read(recorded / of) as whole, record.read(recorded / f"{by}-replay") as made:
        assert (made.header.kind, made.header.backend, made.header.steps) == ("replay", by, 0)
        assert made.header.teacher == whole.sha256
        assert made.header.spec == whole.header.spec
        tensors = {name: made.tensor(name) for name in made.names}
        lengths = whole.tensor("float64/step/lengths")
    assert lengths.min() < lengths.max()
    for rung in rungs.FORWARD:
        given = (tensors[f"float64/{rung}/rnn_1"] != 0).any(-1)
        if given.ndim == 2:  # of every time step
            assert (given.sum(1) <= lengths).all()
    assert far(recorded / of, Ladder(tensors=tensors)) == set()


@pytest.mark.full("keras3")
@pytest.mark.flavour
def test_a_clean_replay_of_a_clean_pair(recorded: Path, tmp_path: Path) -> None:
    """`compare --replay` of a pair that is SAME says so, and that the layers agree."""
    pair = (recorded / "keras", recorded / "torch")
    flags = ("--replay", recorded / "torch-replay", "--json", tmp_path / "out.json")
    done = command("parity", "compare", *pair, *flags)
    assert (done.returncode, done.stderr) == (0, "")
    assert "rnn: fed keras's own input, every layer agrees" in done.stdout
    (model,) = json.loads((tmp_path / "out.json").read_text())["models"]
    assert model["verdict"] == "same"
    assert model["layers_by_themselves"]
    assert all(check["ok"] for check in model["layers_by_themselves"])


@pytest.mark.full("keras3")
@pytest.mark.flavour
def test_a_difference_that_is_not_the_layers(recorded: Path, tmp_path: Path) -> None:
    """The layer that parts as it ran agrees by itself, and the report says so."""
    with record.read(recorded / "torch") as whole:
        tensors = {name: whole.tensor(name).copy() for name in whole.names}
        header = whole.header
    tensors["float64/forward_eval/logits"] *= 1.01
    record.write(tmp_path / "torch", header, tensors)
    done = command(
        "parity", "compare", recorded / "keras", tmp_path / "torch",
        "--replay", recorded / "torch-replay",
    )  # fmt: skip
    text = " ".join(done.stdout.split())
    assert done.returncode == 1
    assert "to blame: layer logits: in keras logits (Dense), in torch logits (Linear)" in text
    assert "fed keras's own input, logits agrees (" in text


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path, records.spec("cnn"))


@pytest.mark.parametrize("same", [True, False], ids=["same", "different"])
@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"teacher": "0" * 64}, "received a replay record of torch"),
        ({"teacher": ""}, "accepted: what torch makes of"),
        ({"backend": "keras"}, "received a replay record of keras"),
        ({"kind": "ladder"}, "received a ladder record of torch"),
        ({"kind": "training"}, "received a training record of torch"),
        ({"spec": records.spec("cnn", channels=(4,))}, "accepted: what torch makes of"),
    ],
)
def test_a_replay_of_something_else_is_refused(
    pair: Pair, refused: Refused, change: dict[str, Any], named: str, same: bool
) -> None:
    """Of another record, by another framework, of another run, or no replay at all."""
    if not same:
        pair.torch["float64/forward_eval/logits"] += 1
    a, b = pair.write()
    if change.get("kind") in ("ladder", "training"):
        change = {**change, "results": {"float64": {"accuracy": 0.0, "loss": 0.0}}}
    path = pair.write_replay(**change)
    line = refused("parity", "compare", a, b, "--replay", path)
    assert named in line
    assert str(path) in line


@pytest.mark.parametrize("same", [True, False], ids=["same", "different"])
@pytest.mark.parametrize("kind", ["nothing", "file", "folder"])
def test_what_is_no_replay_is_refused(
    pair: Pair, refused: Refused, tmp_path: Path, kind: str, same: bool
) -> None:
    """Nothing, a file, an empty folder: the line names the path, whatever the verdict would be."""
    if not same:
        pair.torch["float64/forward_eval/logits"] += 1
    a, b = pair.write()
    path = tmp_path / kind
    if kind == "file":
        path.write_text("text")
    elif kind == "folder":
        path.mkdir()
    assert str(path) in refused("parity", "compare", a, b, "--replay", path)


def test_replays_of_several_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder of replays holds those of some models by name; the others go without."""
    for family in ("softmax", "cnn"):
        pair = Pair(tmp_path / family, records.spec(family))
        pair.torch["float64/forward_eval/logits"] += 1
        pair.write()
        if family == "cnn":
            pair.write_replay()
        for side in ("keras", "torch", "replay"):
            if (tmp_path / family / side).exists():
                (tmp_path / side).mkdir(exist_ok=True)
                (tmp_path / family / side).rename(tmp_path / side / family)
    flags = [tmp_path / "keras", tmp_path / "torch", "--replay", tmp_path / "replay"]
    with pytest.raises(SystemExit) as ended:
        parser.main(["compare", *map(str, flags), "--json", str(tmp_path / "out.json")])
    assert ended.value.code == 1
    assert capsys.readouterr().err == ""
    models = json.loads((tmp_path / "out.json").read_text())["models"]
    by_themselves = {model["model"]: bool(model["layers_by_themselves"]) for model in models}
    assert by_themselves == {"softmax": False, "cnn": True}


def test_a_verdict_stands_without_a_replay_that_fails(
    pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the other framework cannot replay, the report says why and keeps its verdict."""
    from parity.cli import compare

    pair.torch["float64/forward_eval/logits"] += 1
    a, b = pair.write()

    def replay(_: object) -> Path:
        raise ParityError("out of paper")

    assert compare.judge(a, b, None, overrides={}, replay=replay) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "cnn: no layer was run by itself: out of paper" in said
    assert said.endswith("DIFFERENT: cnn")


@pytest.mark.parametrize("entry", ["keras", "torch"])
@pytest.mark.parametrize(
    ("kind", "named"),
    [
        ("nothing", "does not exist"),
        ("replay", "received a replay record of float64"),
        ("float32", "received a ladder record of float32"),
        ("training", "received a training record"),
    ],
)
def test_a_teacher_that_cannot_teach_is_refused(
    refused: Refused, tmp_path: Path, entry: str, kind: str, named: str
) -> None:
    """Before any framework starts, in one line that names the record."""
    dtypes = ("float32",) if kind == "float32" else ("float64",)
    fields = {"kind": kind} if kind in ("replay", "training") else {}
    header = records.header("keras", records.spec(), dtypes, **fields)
    if kind != "nothing":
        record.write(tmp_path / "teacher", header, records.tensors(header))
    line = refused(entry, "replay", tmp_path / "teacher", "--out", tmp_path / "new")
    assert named in line
    assert str(tmp_path / "teacher") in line


def test_a_teacher_of_other_data_is_refused(pair: Pair, refused: Refused, tmp_path: Path) -> None:
    """A record of data that are not there, or not the same, is named with its checksum."""
    a, _ = pair.write()
    assert "made_up" in refused("torch", "replay", a, "--out", tmp_path / "new")
    file = a / record.HEADER
    content = json.loads(file.read_text())
    content["spec"]["data"]["name"] = "digits"
    file.write_text(json.dumps(content))
    assert "000000000000" in refused("torch", "replay", a, "--out", tmp_path / "new")


@pytest.mark.parametrize("flags", ["--data-dir x", "--download"])
def test_the_full_set_for_a_record_of_the_embedded_one(
    refused: Refused, tmp_path: Path, flags: str
) -> None:
    """The teacher's own data are taken, so these flags do nothing and are refused."""
    path = digits_teacher(tmp_path)
    line = refused("torch", "replay", path, "--out", tmp_path / "new", *flags.split())
    assert f"{flags}: does not apply" in line


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_nothing_is_replaced_by_a_replay(refused: Refused, tmp_path: Path, kind: str) -> None:
    """What stands at --out stays, and is refused before the teacher is read."""
    out = tmp_path / "out"
    if kind == "file":
        out.write_text("mine")
    elif kind == "folder":
        out.mkdir()
    else:
        out.symlink_to("nowhere")
    line = refused("torch", "replay", tmp_path / "teacher", "--out", out)
    assert "exists already" in line


def digits_teacher(folder: Path, change: Mapping[str, np.ndarray | None] | None = None) -> Path:
    """A made-up record of the digits; ``change`` replaces tensors, or leaves them out."""
    spec = cases.spec_of("softmax", "regression-logits")
    assert spec.data.sha256 == datasets.load("digits", size="embedded").sha256
    header = records.header("keras", spec, ("float64",))
    tensors = {**records.tensors(header), **(change or {})}
    record.write(
        folder / "teacher", header, {name: x for name, x in tensors.items() if x is not None}
    )
    return folder / "teacher"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("float64/forward_eval/input", None),
        ("float64/forward_train/logits", None),
        ("float64/gradients/logits/output", None),
        ("float64/forward_eval/logits", np.ones((32, 9))),
        ("float64/forward_eval/logits", np.ones((31, 10))),
        ("float64/forward_eval/logits", np.ones((32, 10), np.float32)),
    ],
)
def test_a_teacher_that_lacks_something_is_refused(
    tmp_path: Path, torch_backend: Backend, name: str, value: np.ndarray | None
) -> None:
    """A tensor that is missing, or of another form than the spec's, is named."""
    spec = cases.spec_of("softmax", "regression-logits")
    header = records.header("keras", spec, ("float64",))
    whole = {
        key: np.resize(x, (32, *x.shape[1:])) if "/forward" in key or key.endswith("/output") else x
        for key, x in records.tensors(header).items()
    }
    train, _ = cases.splits_of(spec)
    with record.read(digits_teacher(tmp_path / "good", whole)) as teacher:
        assert replay(torch_backend, teacher, train).tensors
    with (
        record.read(digits_teacher(tmp_path / "bad", {**whole, name: value})) as teacher,
        pytest.raises(ParityError, match=name),
    ):
        replay(torch_backend, teacher, train)


@pytest.mark.parametrize("kind", ["replay", "ladder"])
def test_a_replay_is_no_side_of_a_comparison(pair: Pair, tmp_path: Path, kind: str) -> None:
    """A replay is compared with its teacher by ``--replay`` alone."""
    a, _ = pair.write()
    path = pair.write_replay()
    other = path if kind == "replay" else tmp_path / "torch"
    with record.read(a) as x, record.read(other) as y:
        if kind == "ladder":
            assert compare(x, y).same
            return
        with pytest.raises(ParityError, match="received 'replay', accepted: 'ladder'"):
            compare(x, y)
