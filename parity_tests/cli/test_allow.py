"""``--allow``: more than the table allows float64, at one rung, with a reason that is printed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from parity import rungs
from parity.cli import parser
from parity.cli.flags.allow import RUNGS
from parity.numerics.tolerance import FLOAT64, Allowed
from parity.report import of_records, terminal
from parity.verdict.result import Check
from parity_tests.support import records
from parity_tests.support.records import Pair

WHY = "the port rounds its [inputs]"

PLACES = {
    "forward_eval": "forward_eval/logits",
    "forward_train": "forward_train/logits",
    "loss": "loss/loss",
    "gradients": "gradients/logits/kernel",
    "step": "step/weights/logits/kernel",
    "steps": "steps/losses",
    "predictions": "predictions/outputs",
    "training": "training/losses",
}
"""Rung to a tensor of it."""


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path, records.spec("dropout"), epochs=2)


def move(pair: Pair, rung: str, dtype: str = "float64", share: float = 1e-6) -> None:
    """Let torch stand apart at a rung by a share of the tensor's largest entry."""
    value = pair.torch[f"{dtype}/{PLACES[rung]}"]
    value.reshape(-1)[0] += value.dtype.type(share * np.abs(value).max())


def compared(pair: Pair, *flags: str) -> int:
    """Exit code of ``parity compare`` with further flags."""
    with pytest.raises(SystemExit) as ended:
        parser.main(["compare", *map(str, pair.write()), *flags])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_every_rung_that_computes_can_be_allowed_something() -> None:
    """All but the parameters, which are given, not computed."""
    assert set(PLACES) == set(RUNGS) == set(rungs.TITLES) - {"parameters"}


@pytest.mark.parametrize("rung", PLACES)
def test_a_limit_changes_the_verdict_of_its_rung(
    pair: Pair, rung: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What failed passes; under a limit below what is observed it fails still."""
    move(pair, rung)
    for flags, code in (((), 1), (("1e-5",), 0), (("1e-7",), 1)):
        pair.folder = pair.folder / "again"
        more = ["--allow", rung, *flags, WHY] if flags else []
        assert compared(pair, *more) == code
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("rung", PLACES)
def test_a_limit_is_of_no_other_rung(pair: Pair, rung: str) -> None:
    """Allowed at every rung but the one that differs, it changes nothing."""
    move(pair, rung)
    others = {name: Allowed(0.5, WHY, True) for name in PLACES if name != rung}
    with pair.compared(overrides=others) as comparison:
        assert [check.rung for check in comparison.failed] == [rung]


@pytest.mark.parametrize("rung", [rung for rung in PLACES if rung != rungs.TRAINING])
def test_float32_is_allowed_nothing_more(pair: Pair, rung: str) -> None:
    """Rounding alone sets float32's limits."""
    move(pair, rung, "float32", 0.1)
    with pair.compared(overrides={rung: Allowed(0.5, WHY, True)}) as comparison:
        (check,) = comparison.failed
        assert (check.dtype, check.rung) == ("float32", rung)


def checks_by_name(checks: tuple[Check, ...]) -> dict[tuple[str, str, str], Check]:
    return {(check.dtype, check.rung, check.tensor): check for check in checks}


@pytest.mark.parametrize("rung", PLACES)
def test_nothing_else_changes(pair: Pair, rung: str) -> None:
    """Every check of another rung or dtype, and of what is given, is the same as without it."""
    with pair.compared() as comparison:
        plain = checks_by_name(comparison.checks)
    pair.folder /= "allowed"
    with pair.compared(overrides={rung: Allowed(0.5, WHY, True)}) as comparison:
        allowed = checks_by_name(comparison.checks)
    assert plain.keys() == allowed.keys()
    changed = {name for name in plain if plain[name] != allowed[name]}
    assert changed
    for name in changed:
        assert name[:2] == ("float64", rung)
        assert rungs.role_of(*name[1:]).kind not in ("input", "mask")
        if name[2] == "labels":  # which hang on how far the outputs may stand apart
            assert "near ties" in allowed[name].reason
        else:
            assert (allowed[name].allowed, allowed[name].reason) == (0.5, WHY)


@pytest.mark.parametrize(
    "name",
    ["forward_train/input", "forward_train/dropout_1/mask", "step/labels", "steps/3/input"],
)
def test_what_a_model_is_fed_is_allowed_nothing(pair: Pair, name: str) -> None:
    """Inputs, labels and masks are exact at whatever rung they stand."""
    value = pair.torch[f"float64/{name}"]
    value.reshape(-1)[0] = 1 - value.reshape(-1)[0] if value.dtype != bool else ~value.flat[0]
    rung = name.split("/")[0]
    with pair.compared(overrides={rung: Allowed(0.999, WHY, True)}) as comparison:
        assert next(f"{check.rung}/{check.tensor}" for check in comparison.failed) == name


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_no_limit_allows_what_is_not_finite(pair: Pair, value: float) -> None:
    """Nor a tensor that is missing."""
    pair.torch["float64/forward_eval/logits"][0, 0] = value
    del pair.torch["float64/forward_eval/dense_1"]
    with pair.compared(overrides={"forward_eval": Allowed(0.5, WHY, True)}) as comparison:
        assert {check.tensor for check in comparison.failed if check.dtype == "float64"} == {
            "logits",
            "dense_1",
        }


@pytest.mark.parametrize("differs", [True, False])
def test_the_reason_is_printed(
    pair: Pair, differs: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the report and in the data, word for word, whether or not it made the difference."""
    if differs:
        move(pair, "gradients")
    with pair.compared(overrides={"gradients": Allowed(1e-5, WHY, True)}) as comparison:
        report = of_records.report(comparison)
    terminal.show([report], every_check=True)
    data = report.as_data()
    text = " ".join(capsys.readouterr().out.split())
    assert re.search(rf"gradients: \d+ tensors allowed up to 1.0e-05 .*: {re.escape(WHY)}", text)
    assert re.search(rf"why \d: {re.escape(WHY)}", text)
    rows = [check for check in data["checks"] if check["reason"] == WHY]
    assert {(row["dtype"], row["rung"]) for row in rows} == {("float64", "gradients")}
    assert json.dumps(data)


def test_without_it_nothing_of_it_is_printed(
    pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    """The report of an ordinary comparison names no such limit."""
    with pair.compared() as comparison:
        terminal.show([of_records.report(comparison)], every_check=True)
    assert "allowed up to" not in capsys.readouterr().out


def test_a_failure_shows_the_limit_and_the_reason(
    pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where it is not enough, the first divergence says what was allowed, why, and what helps."""
    move(pair, "loss", share=1e-3)
    with pair.compared(overrides={"loss": Allowed(1e-5, WHY, True)}) as comparison:
        terminal.show([of_records.report(comparison)])
    text = " ".join(capsys.readouterr().out.split())
    assert re.search(
        rf"loss differs by 1\.0e-03, allowed 1\.0e-05 \({re.escape(WHY)}\)",
        text,
    )


@pytest.mark.parametrize("command", ["compare a b", "run --model softmax --out new"])
@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["weights", "1e-5", WHY], ["rung", "'weights'", "forward_eval", "predictions"]),
        (["parameters", "1e-5", WHY], ["rung", "'parameters'"]),
        (["loss", "0", WHY], ["limit", "'0'", "> 0"]),
        (["loss", "-0.1", WHY], ["limit", "'-0.1'"]),
        (["loss", "-1e-5", WHY], ["--allow", "3 arguments"]),
        (["loss", "1", WHY], ["limit", "'1'", "< 1"]),
        (["loss", "inf", WHY], ["limit", "'inf'"]),
        (["loss", "nan", WHY], ["limit", "'nan'"]),
        (["loss", "much", WHY], ["limit", "'much'"]),
        (["loss", "1e-5", ""], ["reason", "''"]),
        (["loss", "1e-5", " \n"], ["reason", "a few words"]),
        (["loss", "1e-5"], ["--allow"]),
        (["loss", "1e-5", WHY, "--allow", "loss", "1e-4", WHY], ["rung", "'loss'", "gradients"]),
    ],
)
def test_wrong_use_is_one_line(
    command: str, flags: list[str], named: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """It names what was received and what is accepted, before anything is read; exit code 2."""
    with pytest.raises(SystemExit) as ended:
        parser.main([*command.split(), "--allow", *flags])
    said = capsys.readouterr()
    assert ended.value.code == 2
    assert said.out == ""
    assert re.fullmatch(r"[^\n]*error: [^\n]+\n", said.err), said.err
    assert [word for word in named if word not in said.err] == []


def test_several_rungs_each_have_their_own(pair: Pair) -> None:
    """The flag may be given once for every rung."""
    for rung in ("gradients", "loss"):
        move(pair, rung)
    both = ["--allow", "loss", "1e-5", WHY, "--allow", "gradients", "1e-5", "another"]
    assert compared(pair, *both) == 0
    pair.folder /= "one"
    assert compared(pair, *both[:4]) == 1


def test_the_table_itself_stays_as_it_is(pair: Pair) -> None:
    """An override is of one comparison, not of the process."""
    before = dict(FLOAT64)
    compared(pair, "--allow", "loss", "1e-5", WHY)
    assert before == FLOAT64
    assert parser.parity_parser().parse_args(["compare", "a", "b"]).allow == {}
