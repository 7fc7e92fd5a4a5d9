"""What a person reads and what a program reads of a comparison."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from parity.cli import compare
from parity.errors import ParityError
from parity.report import data, terminal
from parity.report.sentences import number
from parity_tests.support import records
from parity_tests.support.records import Pair

ESCAPE = "\x1b["


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path, records.spec())


def spoil(pair: Pair) -> None:
    pair.torch["float64/gradients/logits/kernel"][1, 2] = 7.25


def printed(pair: Pair, capsys: pytest.CaptureFixture[str], at_once: bool = False) -> str:
    with pair.compared() as comparison:
        terminal.show([comparison], at_once=at_once)
    return capsys.readouterr().out


def on_terminal(pair: Pair, columns: int, **environment: str) -> str:
    """What ``parity compare`` prints to a terminal of so many columns."""
    a, b = pair.write()
    parent, child = pty.openpty()
    command = [sys.executable, "-m", "parity_tests.ladder.test_report", str(a), str(b)]
    variables = {"TERM": "xterm-256color", "COLUMNS": str(columns), **environment}
    unset = ("NO_COLOR", "FORCE_COLOR")
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    with subprocess.Popen(command, stdout=child, env={**kept, **variables}) as process:
        os.close(child)
        found = b""
        try:
            while block := os.read(parent, 65536):
                found += block
        except OSError:  # the terminal closes with its last writer
            pass
        process.wait()
    os.close(parent)
    return found.decode().replace("\r\n", "\n")


def test_last_line_is_the_verdict(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    """The last line says SAME and of what."""
    assert printed(pair, capsys).splitlines()[-1] == "SAME: softmax"


def test_last_line_says_different(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    """The last line says DIFFERENT where any check fails."""
    spoil(pair)
    assert printed(pair, capsys).splitlines()[-1] == "DIFFERENT: softmax"


def test_several_models_are_summed_up(
    pair: Pair, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One model that differs makes the whole different, and is named."""
    other = Pair(tmp_path / "cnn", records.spec("cnn"))
    spoil(pair)
    with pair.compared() as a, other.compared() as b:
        terminal.show([a, b])
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "DIFFERENT: softmax, 1 of 2 models"
    assert "softmax: DIFFERENT" in lines
    assert "cnn: SAME" in lines


def test_order_of_the_parts(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    """Rungs, figures, versions, verdict of the model, records, verdict of all."""
    spoil(pair)
    text = printed(pair, capsys)
    parts = [
        "parameters",
        "ms/step",
        "numpy",
        "softmax: DIFF",
        "first div",
        "record:",
        "DIFFERENT:",
    ]
    assert [text.index(part) for part in parts] == sorted(text.index(part) for part in parts)


def test_first_divergence_says_all_that_is_known(
    pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rung, tensor, index, both frameworks' values, observed and allowed."""
    spoil(pair)
    text = printed(pair, capsys)
    reference = pair.keras["float64/gradients/logits/kernel"][1, 2]
    assert "first divergence: gradients, float64: logits/kernel" in text
    assert f"at [1, 2]: keras {reference:.17g}, torch 7.25" in text
    assert re.search(r"observed \d\.\de-01, allowed 1\.0e-12", text)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("forward_eval/logits", "to blame: layer logits: in keras logits of keras, in torch"),
        ("step/input", "to blame: the data at step 1, before any layer"),
        ("steps/3/labels", "to blame: the data at step 3, before any layer"),
        ("loss/loss", "to blame: the loss; all that goes into it agrees"),
        ("gradients/logits/output", "to blame: the loss; all that goes into it agrees"),
        ("steps/losses", "to blame: the loss at step 10"),
        ("steps/4/weights/logits/bias", "to blame: the optimizer at step 4, or a gradient; what"),
        ("step/weights/logits/bias", "to blame: the optimizer at step 1; forward pass, loss"),
        ("predictions/outputs", None),
    ],
)
def test_report_says_what_is_to_blame(
    pair: Pair, capsys: pytest.CaptureFixture[str], name: str, said: str | None
) -> None:
    """Layer, data, loss or optimizer, and the step; nothing where none can be named."""
    pair.torch[f"float64/{name}"].reshape(-1)[-1] += 1
    text = " ".join(printed(pair, capsys).split())
    assert "first divergence:" in text
    assert (said in text) if said else ("to blame" not in text)


@pytest.mark.parametrize("own", [True, False])
def test_report_says_what_a_replay_found(
    pair: Pair, capsys: pytest.CaptureFixture[str], own: bool
) -> None:
    """Whether the layer is off by itself, and which others are; in the data as well."""
    for values in (pair.torch, pair.replay) if own else (pair.torch,):
        values["float64/forward_eval/logits"][0, 0] += 1
    pair.replay["float64/forward_train/dense_1"][0, 0] += 1
    with pair.compared(replayed=True) as comparison:
        terminal.show([comparison])
        (model,) = data.as_data([comparison])["models"]
    text = " ".join(capsys.readouterr().out.split())
    assert ("off: the difference is its own" in text) is own
    assert ("logits agrees (0): the difference comes from what stands before it" in text) is not own
    assert "fed keras's own input, these are off as well: dense_1" in text
    first = model["first_divergence"]
    assert (first["to_blame"], first["step"]) == ("logits", None)
    assert first["layer"] == {"keras": "logits of keras", "torch": "logits of torch"}
    assert first["by_itself"]["ok"] is not own
    assert first["off_by_themselves"] == ["dense_1"]


def test_a_clean_replay_of_equal_records_is_told(
    pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where there is no divergence to explain; a layer that is off is named."""
    for expected in ("every layer agrees", "these are off: logits"):
        with pair.compared(replayed=True) as comparison:
            terminal.show([comparison])
        text = " ".join(capsys.readouterr().out.split())
        assert f"softmax: fed keras's own input, {expected}" in text
        assert text.endswith("SAME: softmax")
        pair.replay["float64/forward_eval/logits"] += 1
        pair.folder /= "again"


@pytest.mark.parametrize("asked", [True, False])
def test_every_check_is_printed_where_asked(
    pair: Pair, capsys: pytest.CaptureFixture[str], asked: bool
) -> None:
    """A row each, with what was observed and allowed and would do, and why so much is allowed."""
    spoil(pair)
    with pair.compared() as comparison:
        terminal.show([comparison], every_check=asked)
        checks = comparison.checks
    rows = re.findall(r"^(float\d\d/\S+) .*(OK|DIFF) *$", capsys.readouterr().out, re.MULTILINE)
    wanted = [(f"{c.dtype}/{c.rung}/{c.tensor}", "OK" if c.ok else "DIFF") for c in checks]
    if asked:
        assert [place for place, _ in rows] == [place.split(" ")[0] for place, _ in wanted]
        assert [outcome for _, outcome in rows] == [outcome for _, outcome in wanted]
    else:
        assert rows == []


def test_every_check_has_a_reason_and_the_least_that_would_pass(pair: Pair) -> None:
    """In the data, beside what was observed and allowed."""
    spoil(pair)
    with pair.compared() as comparison:
        (model,) = data.as_data([comparison])["models"]
    for check in model["checks"]:
        assert check["reason"], check
        assert check["least"] == check["observed"]
        assert check["ok"] == (check["least"] <= check["allowed"])


def test_every_rung_has_its_row(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    """Eight rows, each with what was observed and allowed, and OK or DIFF."""
    spoil(pair)
    rows = re.findall(r"^softmax .*(OK|DIFF)\s*$", printed(pair, capsys), re.MULTILINE)
    assert rows == ["OK"] * 4 + ["DIFF"] + ["OK"] * 3


def test_float32_alone_is_called_weaker(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without float64 the verdict says what it lacks."""
    text = printed(Pair(tmp_path, records.spec(), ("float32",)), capsys)
    assert "softmax: SAME (weaker: the records hold no float64" in text


def test_a_difference_of_float32_alone_says_so(
    pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where float64 agrees, the reader is told where to look, and which dtype a value has."""
    pair.torch["float32/forward_eval/logits"][0, 0] = 9
    text = printed(pair, capsys)
    assert "float64 agrees throughout" in text
    assert re.search(r"keras float64 \S+, torch float32 9$", text, re.MULTILINE)


def test_timings_name_their_circumstances(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    """That both ran at the same time is said only where it is known."""
    assert "same time" not in printed(pair, capsys)
    pair.folder /= "again"
    assert "same time" in " ".join(printed(pair, capsys, at_once=True).split())


def test_null_gradients_and_notes_are_told(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    """What is not judged, and the records' own notes, stand before the verdict."""
    for side, values in (("keras", pair.keras), ("torch", pair.torch)):
        values["float64/gradients/dense_1/bias"] *= 1e-14
        pair.set_header(side, null_gradients={"dense_1/bias": 1e-14}, notes=("a [note] is kept",))
    text = printed(pair, capsys)
    assert "null gradients, not judged: dense_1/bias." in text
    assert text.count("a [note] is kept") == 1


def test_no_line_is_longer_than_80(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the output is no terminal, nothing but a path is longer than 80 columns."""
    spoil(pair)
    lines = printed(pair, capsys).splitlines()
    assert max(len(line) for line in lines if not line.startswith("record:")) <= 80
    assert ESCAPE not in "".join(lines)
    assert "…" not in "".join(lines)


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_nothing_is_cut_on_a_terminal(pair: Pair, columns: int) -> None:
    """Names and numbers are whole at every width from 60 columns, and coloured."""
    spoil(pair)
    text = on_terminal(pair, columns)
    assert ESCAPE in text
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert "…" not in plain
    assert "forward (train)" in plain
    lines = [line for line in plain.splitlines() if not line.startswith(("record:", "  /"))]
    assert max(map(len, lines)) <= columns


def test_no_color_is_respected(pair: Pair) -> None:
    """With NO_COLOR a terminal gets no colour."""
    spoil(pair)
    colours = re.findall(r"\x1b\[[0-9;]*3[0-7][0-9;]*m", on_terminal(pair, 80, NO_COLOR="1"))
    assert not colours


def test_json_holds_the_same(pair: Pair, tmp_path: Path) -> None:
    """Verdict, first divergence and every check stand in the file, as strict JSON."""
    spoil(pair)
    pair.torch["float64/steps/losses"][3] = np.nan
    with pair.compared() as comparison:
        data.write(tmp_path / "out.json", [comparison])
    content = json.loads((tmp_path / "out.json").read_text(), parse_constant=pytest.fail)
    assert content["verdict"] == "different"
    (model,) = content["models"]
    assert (model["model"], model["verdict"]) == ("softmax", "different")
    assert model["first_divergence"]["tensor"] == "logits/kernel"
    assert model["first_divergence"]["index"] == [1, 2]
    failed = [check for check in model["checks"] if not check["ok"]]
    assert [check["observed"] for check in failed][1] == "inf"
    assert failed[1]["values"][1] == "nan"
    assert [entry["backend"] for entry in model["records"]] == ["keras", "torch"]
    assert model["weaker"] is False


def test_counts_are_the_framework_own(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    """The figures and the data show what the framework counts, not what the tensors add up to."""
    pair.set_header("torch", counts={"total": 123_456, "trainable": 98_765})
    assert re.search(r"torch +123,456 +98,765 ", printed(pair, capsys))
    pair.folder /= "again"
    with pair.compared() as comparison:
        (model,) = data.as_data([comparison])["models"]
    assert model["records"][1]["counts"] == {"total": 123_456, "trainable": 98_765}


def test_json_says_how_little_float32_says(pair: Pair, tmp_path: Path) -> None:
    """The weaker verdict and the limits that say nothing are in the data as well."""
    pair.set_header("torch", rounding={"float32/predictions/outputs": 1.0})
    with pair.compared() as comparison:
        (model,) = data.as_data([comparison])["models"]
    assert model["float32_says_next_to_nothing"] == ["predictions/outputs"]
    with Pair(tmp_path / "single", records.spec(), ("float32",)).compared() as comparison:
        (model,) = data.as_data([comparison])["models"]
    assert (model["weaker"], model["decided_in"]) == (True, "float32")


def test_accuracy_is_not_that_of_a_trained_model(
    pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the figure is the accuracy of stands below the table."""
    text = " ".join(printed(pair, capsys).split())
    assert "accuracy: of the weights after 10 steps from probe weights, not of a trained" in text


def test_json_goes_into_a_pipe_in_place(pair: Pair, tmp_path: Path) -> None:
    """A pipe is written to, not replaced by a file."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE) as reader:
        with pair.compared() as comparison:
            data.write(pipe, [comparison])
        read, _ = reader.communicate()
    assert json.loads(read)["verdict"] == "same"
    assert pipe.is_fifo()


def test_json_replaces_a_file_and_leaves_nothing_beside_it(pair: Pair, tmp_path: Path) -> None:
    """The file is written whole, then renamed."""
    folder = tmp_path / "reports"
    folder.mkdir()
    (folder / "out.json").write_text("old")
    with pair.compared() as comparison:
        data.write(folder / "out.json", [comparison])
    assert [path.name for path in folder.iterdir()] == ["out.json"]
    assert json.loads((folder / "out.json").read_text())["verdict"] == "same"


@pytest.mark.parametrize("name", ["file/out.json", "."])
def test_json_that_cannot_be_written_is_an_error_line(
    pair: Pair, tmp_path: Path, name: str
) -> None:
    """The error names the path."""
    (tmp_path / "file").write_text("no folder")
    with pair.compared() as comparison, pytest.raises(ParityError, match="--json: cannot write"):
        data.write(tmp_path / name, [comparison])


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.0, "0"), (3, "3"), (1.234e-15, "1.2e-15"), (np.inf, "inf"), (np.nan, "nan")],
)
def test_numbers_are_short(value: float, text: str) -> None:
    """Counts as they are, distances with two digits."""
    assert number(value) == text


if __name__ == "__main__":
    sys.exit(compare.judge(Path(sys.argv[1]), Path(sys.argv[2]), None, overrides={}))
