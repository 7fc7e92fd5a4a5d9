"""``replay`` and ``compare --replay`` from the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from parity import rungs
from parity.cli import parser
from parity.errors import ParityError
from parity.ladder import record
from parity.ladder.climb import Ladder
from parity_tests.conftest import Run
from parity_tests.ladder.test_replay import DIRECTIONS, far
from parity_tests.support import records
from parity_tests.support.records import Pair


def compare_records(*flags: object) -> subprocess.CompletedProcess[str]:
    start = [sys.executable, "-c", "from parity.cli import main; main()", "compare"]
    return subprocess.run(
        [*start, *map(str, flags)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory, flavour: str, run_here: Run) -> Path:
    """A model with padded sequences, recorded by both implementations, each replayed by the other.

    The Keras record's replay by torch is ``torch-replay``, the other ``keras-replay``.
    """
    folder = tmp_path_factory.mktemp("replays")
    flags = ["--model", "rnn", "--dataset", "japanese_vowels", "--units", "5", "--steps", "1"]
    flags += ["--dtype", "float64", "--threads", "1", "--flavour", flavour]
    for side in ("keras", "torch"):
        run_here(side, "record", *flags, "--out", folder / side)
    for of, by in DIRECTIONS:
        out = folder / f"{by}-replay"
        printed = run_here(by, "replay", folder / of, "--threads", "1", "--out", out)
        assert printed == f"{by} rnn: {out}\n"
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
    done = compare_records(*pair, *flags)
    assert (done.returncode, done.stderr) == (0, "")
    assert "given keras's input, every layer agrees" in done.stdout
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["verdict"] == "same"
    assert report["records"]["with_the_same_input"]
    assert all(check["ok"] for check in report["records"]["with_the_same_input"])
    assert all(layer["observed"] <= layer["allowed"] for layer in report["layers"])


@pytest.mark.full("keras3")
@pytest.mark.flavour
def test_a_difference_that_is_not_the_layers(recorded: Path, tmp_path: Path) -> None:
    """The layer that parts as it ran agrees by itself, and the report says so."""
    with record.read(recorded / "torch") as whole:
        tensors = {name: whole.tensor(name).copy() for name in whole.names}
        header = whole.header
    tensors["float64/forward_eval/logits"] *= 1.01
    record.write(tmp_path / "torch", header, tensors)
    done = compare_records(
        recorded / "keras", tmp_path / "torch",
        "--replay", recorded / "torch-replay",
    )  # fmt: skip
    text = " ".join(done.stdout.split())
    assert done.returncode == 1
    assert "keras logits (Dense) torch logits (Linear) located in layer logits" in text
    assert "given keras's input, logits agrees (" in text


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path, records.spec("cnn"))


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
    pairs = json.loads((tmp_path / "out.json").read_text())["pairs"]
    by_themselves = {one["name"]: bool(one["records"]["with_the_same_input"]) for one in pairs}
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
    assert "no layer was given the other's input: out of paper" in said
    assert said.startswith("DIFFERENT: cnn.")
