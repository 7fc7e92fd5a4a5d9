"""The report on two records, as text and as data."""

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
from parity.report import data, of_records, terminal
from parity.report.report import Report
from parity.report.wording import number
from parity_tests.support import records
from parity_tests.support.records import Pair
from parity_tests.support.report_schema import ANY, errors

ESCAPE = "\x1b["


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path, records.spec())


def spoil(pair: Pair) -> None:
    pair.torch["float64/gradients/logits/kernel"][1, 2] = 7.25


def report(pair: Pair, **options: bool) -> Report:
    with pair.compared() as comparison:
        return of_records.report(comparison, **options)


def printed(pair: Pair, capsys: pytest.CaptureFixture[str], **options: bool) -> str:
    terminal.show([report(pair, **options)])
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


def test_first_line_is_the_verdict(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    """SAME with the number of rungs, or DIFFERENT with the first divergence."""
    same = "SAME: softmax. All 8 rungs of the ladder agree."
    assert printed(pair, capsys).splitlines()[0] == same
    spoil(pair)
    pair.folder /= "again"
    different = "DIFFERENT: softmax. First divergence: gradients, logits/kernel."
    assert printed(pair, capsys).splitlines()[0] == different


def test_several_models_are_summed_up(
    pair: Pair, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One model that differs makes the verdict on all different, and is named."""
    other = Pair(tmp_path / "cnn", records.spec("cnn"))
    spoil(pair)
    terminal.show([report(pair), report(other)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "DIFFERENT: softmax (1 of 2 models)"
    assert lines[1].startswith("DIFFERENT: softmax. First divergence")
    assert lines[2] == "SAME: cnn. All 8 rungs of the ladder agree."
    assert "softmax: First divergence" in lines


def test_order_of_the_parts(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    """Verdict, first divergence, rungs, figures, versions, records."""
    spoil(pair)
    text = printed(pair, capsys)
    parts = ["DIFFERENT:", "gradients, float64: ", "parameters", "ms/step", "numpy", "record:"]
    assert [text.index(part) for part in parts] == sorted(text.index(part) for part in parts)


def test_first_divergence_shows_all_that_is_known(
    pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rung, tensor, index, both frameworks' values, observed and allowed."""
    spoil(pair)
    text = printed(pair, capsys)
    reference = pair.keras["float64/gradients/logits/kernel"][1, 2]
    assert re.search(
        r"gradients, float64: logits/kernel differs by 0\.\d\d, allowed 1\.0e-12", text
    )
    assert f"at [1, 2]: keras {reference:.17g}, torch 7.25" in text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("forward_eval/logits", "torch logits of torch located in layer logits at"),
        ("step/input", "located in the data at step 1, before any layer"),
        ("steps/3/labels", "located in the data at step 3, before any layer"),
        ("loss/loss", "located in the loss; all of its inputs agree"),
        ("gradients/logits/output", "located in the loss; all of its inputs agree"),
        ("steps/losses", "located in the loss at step 10"),
        (
            "steps/4/weights/logits/bias",
            "located in the optimizer at step 4, or in a gradient;",
        ),
        ("step/weights/logits/bias", "located in the optimizer at step 1; forward pass, loss"),
        ("predictions/outputs", None),
    ],
)
def test_report_locates_the_divergence(
    pair: Pair, capsys: pytest.CaptureFixture[str], name: str, said: str | None
) -> None:
    """Layer, data, loss or optimizer, and the step; nothing where none can be named."""
    pair.torch[f"float64/{name}"].reshape(-1)[-1] += 1
    text = " ".join(printed(pair, capsys).split())
    assert "First divergence" in text
    assert (said in text) if said else ("located in" not in text)


@pytest.mark.parametrize("own", [True, False])
def test_report_shows_what_a_replay_found(
    pair: Pair, capsys: pytest.CaptureFixture[str], own: bool
) -> None:
    """Whether the layer differs given the same input, and which others do; in the data as well."""
    for values in (pair.torch, pair.replay) if own else (pair.torch,):
        values["float64/forward_eval/logits"][0, 0] += 1
    pair.replay["float64/forward_train/dense_1"][0, 0] += 1
    with pair.compared(replayed=True) as comparison:
        found = of_records.report(comparison)
    terminal.show([found])
    text = " ".join(capsys.readouterr().out.split())
    assert (": it is this layer" in text) is own
    assert ("logits agrees (0): the difference comes from upstream" in text) is not own
    assert "given keras's input, these differ as well: dense_1" in text
    first, beside = found.as_data()["first_divergence"], found.as_data()["records"]
    assert (first["location"], first["step"]) == ("logits", None)
    assert (first["keras_layer"], first["torch_module"]) == ("logits of keras", "logits of torch")
    assert beside["first_layer_with_the_same_input"]["ok"] is not own
    assert beside["other_layers_with_the_same_input"] == ["dense_1"]
    (layer,) = [one for one in found.compared if one.keras == "logits of keras"]
    assert layer.as_they_ran > layer.allowed
    assert (layer.observed > layer.allowed) is own


def test_a_clean_replay_of_equal_records_is_reported(
    pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where there is no divergence to explain; a layer that differs is named."""
    for expected in ("every layer agrees", "these differ: logits"):
        with pair.compared(replayed=True) as comparison:
            terminal.show([of_records.report(comparison)])
        text = " ".join(capsys.readouterr().out.split())
        assert f"given keras's input, {expected}" in text
        assert text.startswith("SAME: softmax")
        pair.replay["float64/forward_eval/logits"] += 1
        pair.folder /= "again"


@pytest.mark.parametrize("asked", [True, False])
def test_every_check_is_printed_where_asked(
    pair: Pair, capsys: pytest.CaptureFixture[str], asked: bool
) -> None:
    """A row each, with what was observed and allowed, and why that much is allowed."""
    spoil(pair)
    found = report(pair)
    terminal.show([found], every_check=asked)
    rows = re.findall(
        r"^(float\d\d/\S+) .*(passed|failed) *$", capsys.readouterr().out, re.MULTILINE
    )
    wanted = [
        (f"{c.dtype}/{c.rung}/{c.tensor}".split(" ")[0], "passed" if c.ok else "failed")
        for c in found.checks
    ]
    assert rows == (wanted if asked else [])


def test_every_check_has_a_reason_and_the_least_that_would_pass(pair: Pair) -> None:
    """In the data, beside what was observed and allowed."""
    spoil(pair)
    for check in report(pair).as_data()["checks"]:
        assert check["reason"], check
        assert check["least"] == check["observed"]
        assert check["ok"] == (check["least"] <= check["allowed"])


def test_every_rung_has_its_row(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    """Eight rows, each with what was observed and allowed, and whether it passed."""
    spoil(pair)
    rows = re.findall(r"(?<!float64:) +(passed|failed)\s*$", printed(pair, capsys), re.MULTILINE)
    assert rows == ["passed"] * 4 + ["failed"] + ["passed"] * 3


def test_float32_alone_is_called_weaker(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without float64 the verdict says what it lacks."""
    text = printed(Pair(tmp_path, records.spec(), ("float32",)), capsys)
    assert text.startswith("SAME: softmax (weaker verdict: only float32 was compared)")


def test_a_difference_of_float32_alone_is_marked(
    pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where float64 agrees, the report says where to look, and which dtype a value has."""
    pair.torch["float32/forward_eval/logits"][0, 0] = 9
    text = printed(pair, capsys)
    assert "float64 agrees everywhere" in text
    assert re.search(r"keras float64 \S+, torch float32 9$", text, re.MULTILINE)


def test_timings_name_their_circumstances(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    """That both ran at the same time is said only where it is known."""
    assert "same time" not in printed(pair, capsys)
    pair.folder /= "again"
    assert "same time" in " ".join(printed(pair, capsys, at_once=True).split())


def test_null_gradients_and_notes(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    """What is not compared, and the records' own notes."""
    for side, values in (("keras", pair.keras), ("torch", pair.torch)):
        values["float64/gradients/dense_1/bias"] *= 1e-14
        pair.set_header(side, null_gradients={"dense_1/bias": 1e-14}, notes=("a [note] is kept",))
    text = printed(pair, capsys)
    assert "null gradients, not compared: dense_1/bias." in text
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
    """Verdict, first divergence and every check are in the file, as strict JSON."""
    spoil(pair)
    pair.torch["float64/steps/losses"][3] = np.nan
    data.write(tmp_path / "out.json", [report(pair)])
    found = json.loads((tmp_path / "out.json").read_text(), parse_constant=pytest.fail)
    assert errors(found) == []
    assert (found["schema"], found["name"], found["verdict"]) == (2, "softmax", "different")
    assert found["first_divergence"]["tensor"] == "logits/kernel"
    assert found["first_divergence"]["index"] == [1, 2]
    failed = [check for check in found["checks"] if not check["ok"]]
    assert [check["observed"] for check in failed][1] == "inf"
    assert failed[1]["values"][1] == "nan"
    assert [entry["backend"] for entry in found["records"]["headers"]] == ["keras", "torch"]
    assert found["dtype"] == "float64"
    assert [rung["status"] for rung in found["rungs"]].count("failed") == 2


def test_several_reports_are_pairs_of_one_file(pair: Pair, tmp_path: Path) -> None:
    """With the verdict on all of them."""
    other = Pair(tmp_path / "cnn", records.spec("cnn"))
    spoil(pair)
    data.write(tmp_path / "out.json", [report(other), report(pair)])
    found = json.loads((tmp_path / "out.json").read_text())
    assert ANY.is_valid(found)
    assert (found["schema"], found["verdict"]) == (2, "different")
    assert [(one["name"], one["verdict"]) for one in found["pairs"]] == [
        ("cnn", "same"),
        ("softmax", "different"),
    ]


def test_counts_are_the_framework_own(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    """The figures and the data show what the framework counts, not what the tensors add up to."""
    pair.set_header("torch", counts={"total": 123_456, "trainable": 98_765})
    found = report(pair)
    terminal.show([found])
    assert re.search(r"torch +123,456 +98,765 ", capsys.readouterr().out)
    figures = found.as_data()["figures"][1]
    assert (figures["parameters"], figures["trainable"]) == (123_456, 98_765)


def test_json_marks_what_float32_cannot_show(pair: Pair, tmp_path: Path) -> None:
    """The weaker verdict, and limits so wide that they show nothing."""
    pair.set_header("torch", rounding={"float32/predictions/outputs": 1.0})
    found = report(pair).as_data()
    assert found["records"]["uninformative_in_float32"] == ["predictions/outputs"]
    single = report(Pair(tmp_path / "single", records.spec(), ("float32",))).as_data()
    assert errors(single) == []
    assert single["dtype"] == "float32"
    assert all(rung["float32"] is None for rung in single["rungs"])


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
        data.write(pipe, [report(pair)])
        read, _ = reader.communicate()
    assert json.loads(read)["verdict"] == "same"
    assert pipe.is_fifo()


def test_json_replaces_a_file_and_leaves_nothing_beside_it(pair: Pair, tmp_path: Path) -> None:
    """The file is written whole, then renamed."""
    folder = tmp_path / "reports"
    folder.mkdir()
    (folder / "out.json").write_text("old")
    data.write(folder / "out.json", [report(pair)])
    assert [path.name for path in folder.iterdir()] == ["out.json"]
    assert json.loads((folder / "out.json").read_text())["verdict"] == "same"


@pytest.mark.parametrize("name", ["file/out.json", "."])
def test_json_that_cannot_be_written_is_an_error_line(
    pair: Pair, tmp_path: Path, name: str
) -> None:
    """The error names the path."""
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ParityError, match="--json: cannot write"):
        data.write(tmp_path / name, [report(pair)])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.0, "0"),
        (3, "3"),
        (1.234e-15, "1.2e-15"),
        (0.123, "0.12"),
        (1234.5, "1.2e+03"),
        (np.inf, "inf"),
        (np.nan, "nan"),
    ],
)
def test_numbers_are_short(value: float, text: str) -> None:
    """Counts as they are, distances with two digits."""
    assert number(value) == text


if __name__ == "__main__":
    sys.exit(compare.judge(Path(sys.argv[1]), Path(sys.argv[2]), None, overrides={}))
