"""No false alarm: a twentieth of the matrix of ``benchmarks.soak``, and its own books."""

from __future__ import annotations

import dataclasses
import json
import signal
import sys
import textwrap
from pathlib import Path

import pytest

from benchmarks.soak import __main__ as soak
from benchmarks.soak import processes as soak_processes
from benchmarks.soak import rows as soak_rows
from benchmarks.soak.rows import Row
from parity.constants import DTYPES, FLAVOURS
from parity.rungs import RUNGS
from parity_tests.support import cases

PART = 12
"""Pairs at most in one test, so that the tests spread over the cores."""


def parts(flavour: str) -> list[list[Row]]:
    """The sample of one Keras, each part of one thread count."""
    return soak_rows.slices((row for row in soak_rows.sample() if row.flavour == flavour), PART)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "part" in metafunc.fixturenames:
        found = parts(metafunc.config.getoption("--flavour"))
        ids = [f"{number}-threads{part[0].threads}" for number, part in enumerate(found)]
        metafunc.parametrize("part", found, ids=ids)


@pytest.mark.full
@pytest.mark.flavour
def test_clean_pairs_are_never_called_different(part: list[Row]) -> None:
    """Float64 and float32 both call every pair SAME, with one thread and with two."""
    done = soak_processes.run(part)
    alarms = [f"{name}\n  " + "\n  ".join(texts) for name, _, texts in done.alarms]
    assert not alarms, "called DIFFERENT:\n" + "\n".join(alarms)
    assert not done.not_run
    assert len(done.judged) == len(part)


def test_matrix_covers_what_it_says() -> None:
    """Every case meets every first optimizer with either Keras, every seed and thread count."""
    rows = soak_rows.rows()
    assert len({row.name for row in rows}) == len(rows)
    assert {(row.family, row.variant) for row in rows} == set(cases.VARIANTS)
    assert {row.recipe for row in rows} == {"", *cases.RECIPES}
    found: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row.family, row.variant, row.recipe), []).append(row)
    pairings = {(o, f) for o in cases.OPTIMIZERS for f in FLAVOURS}
    first = {(o, f) for o in soak_rows.FIRST for f in FLAVOURS}
    for case in found.values():
        assert {(row.optimizer, row.flavour) for row in case} > first
        assert len(case) == len(first) + len(FLAVOURS)
        assert {row.seed for row in case} == set(soak_rows.SEEDS)
        assert {(row.flavour, row.threads) for row in case} == {
            (f, t) for f in FLAVOURS for t in soak_rows.THREADS
        }
    for optimizer, flavour in pairings:
        met = {(row.seed, row.threads) for row in rows
               if (row.optimizer, row.flavour) == (optimizer, flavour)}  # fmt: skip
        assert met == {(s, t) for s in soak_rows.SEEDS for t in soak_rows.THREADS}


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_sample_holds_some_of_everything(flavour: str) -> None:
    """With either Keras: all families, optimizers and thread counts, and at least five seeds."""
    whole = soak_rows.rows()
    sample = soak_rows.sample()
    assert set(sample) <= set(whole)
    assert len(whole) / 20 <= len(sample) < len(whole) / 18
    rows = [row for row in sample if row.flavour == flavour]
    assert {row.family for row in rows} == {family for family, _ in cases.VARIANTS}
    assert {row.optimizer for row in rows} == set(cases.OPTIMIZERS)
    assert {(row.optimizer, row.threads) for row in rows} >= {
        (o, t) for o in soak_rows.FIRST for t in soak_rows.THREADS
    }
    assert len({row.seed for row in rows}) >= 5
    assert any(row.recipe for row in rows)
    assert sorted(row.name for part in parts(flavour) for row in part) == sorted(
        row.name for row in rows
    )


def test_slices_are_of_one_keras_and_one_thread_count() -> None:
    """A process can change neither; none is longer than allowed and no row is lost."""
    whole = soak_rows.rows()
    found = soak_rows.slices(whole)
    assert sorted(row.name for piece in found for row in piece) == sorted(r.name for r in whole)
    for piece in found:
        assert len({(row.flavour, row.threads) for row in piece}) == 1
        assert len(piece) <= soak_rows.SLICE


ONLY = "softmax-hidden_32_16-logits-adam"
"""Two rows, one with each Keras."""


def child(code: str) -> tuple[str, ...]:
    """Command of a process that has read ``rows`` and can ``answer`` one without a framework."""
    head = f"""
        import json, os, signal, sys, time
        rows = [json.loads(line) for line in sys.stdin]
        from benchmarks.soak.rows import Row
        def say(row, **fields):
            print(json.dumps({{"name": Row(**row).name, **fields}}), flush=True)
        def answer(row, failed=(), **more):
            clean = {{d: {{r: (0.0, "x") for r in {list(RUNGS)}}} for d in {list(DTYPES)}}}
            say(row, **{{"seconds": 1.0, "failed": failed, **clean, **more}})
    """
    return (sys.executable, "-c", textwrap.dedent(head) + textwrap.dedent(code))


def outcome(tmp_path: Path, code: str) -> tuple[int, dict]:
    """Exit code and JSON figures of the two rows, answered by such processes."""
    out = tmp_path / "soak.json"
    status = soak.main(["--only", ONLY, "--jobs", "2", "--out", str(out)], child=child(code))
    return status, json.loads(out.read_text("utf-8"))


def test_all_same_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two pairs that are SAME: exit code 0, and figures by Keras, threads and dtype."""
    status, figures = outcome(tmp_path, "for row in rows: answer(row)")
    assert status == 0
    assert (figures["pairs"], figures["judged"]) == (2, 2)
    assert {entry["flavour"] for entry in figures["counts"]} == set(FLAVOURS)
    assert all(entry["pairs"] == 1 for entry in figures["counts"])
    assert figures["different"] == figures["not_run"] == []
    printed = capsys.readouterr().out
    assert "clean pairs: 2 of 2 judged in both dtypes, 0 false alarms" in printed
    assert max(map(len, printed.splitlines())) <= 80


def test_a_pair_called_different_is_a_false_alarm(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is counted for its dtype and named with its first divergence; exit code 1."""
    status, figures = outcome(
        tmp_path,
        """
        for row in rows:
            wrong = row["flavour"] == "keras3"
            largest = {"float32": {"loss": (float("inf"), "loss")}} if wrong else {}
            failed = [("float32", "float32 loss loss: far"), ("float32", "b")] if wrong else []
            answer(row, failed, **largest)
        """,
    )
    assert status == 1
    (alarm,) = figures["different"]
    assert alarm["dtype"] == "float32"
    assert "keras3" in alarm["pair"]
    assert alarm["failed"] == ["float32 loss loss: far", "b"]
    counts = {entry["flavour"]: entry["different"] for entry in figures["counts"]}
    assert counts == {
        "tf_keras": {"float64": 0, "float32": 0},
        "keras3": {"float64": 0, "float32": 1},
    }
    assert figures["largest_float32_share_of_allowed"]["loss"][0] == "inf"
    printed = capsys.readouterr().out
    assert "float32 loss loss: far (2 failed)" in " ".join(printed.split())
    assert "clean pairs: 2 of 2 judged in both dtypes, 1 false alarms" in " ".join(printed.split())


def test_injected_faults_are_added_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The counts of both Keras versions are added; they come before those of the pairs."""
    figures = {"faults": 3, "total": 9, "detected": 9, "right rung": 8, "right layer": 7}
    files = [tmp_path / name for name in ("a.json", "b.json")]
    for file in files:
        file.write_text(json.dumps({**figures, "seconds": 60.0}), "utf-8")
    flags = ["--only", ONLY, "--faults", *map(str, files)]
    assert soak.main(flags, child=child("for row in rows: answer(row)")) == 0
    printed = capsys.readouterr().out.splitlines()[-4:]
    assert printed == [
        "injected faults: 18 (3 different ones), 18 detected,",
        "  16 at the right rung, 14 in the right layer",
        "clean pairs: 2 of 2 judged in both dtypes, 0 false alarms",
        "wall time: 2 min",
    ]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("sys.exit(0)", "its process ended with 0: no message"),
        ("sys.exit('out of memory')", "its process ended with 1: out of memory"),
        ("os.kill(os.getpid(), signal.SIGKILL)", f"its process ended with {-signal.SIGKILL}: "),
        ("say(row, error='no such thing'); continue", "no such thing"),
        ("print('{', end='', flush=True); sys.exit(3)", "its process ended with 3: no message"),
        ("print('{', flush=True); time.sleep(600)", "its process answered nonsense: "),
    ],
    ids=["silent", "failing", "killed", "error", "half a line", "no JSON"],
)
def test_a_row_without_a_verdict_is_named(tmp_path: Path, code: str, reason: str) -> None:
    """Whatever became of its process, the other's rows count all the same; exit code 1."""
    status, figures = outcome(
        tmp_path, f"for row in rows:\n    if row['flavour'] == 'keras3': {code}\n    answer(row)"
    )
    assert status == 1
    assert figures["judged"] == 1
    assert figures["different"] == []
    (missing,) = figures["not_run"]
    assert "keras3" in missing["pair"]
    assert missing["reason"].startswith(reason)


def test_answers_before_a_death_count() -> None:
    """Only what was not answered yet is lost."""
    row = soak_rows.rows()[0]
    asked = [dataclasses.replace(row, seed=seed) for seed in range(3)]
    done = soak_processes.run(
        asked, child=child("answer(rows[0]); answer(rows[1]); sys.exit('gone')")
    )
    assert [row for row, _ in done.judged] == asked[:2]
    assert done.not_run == [(asked[2].name, "its process ended with 1: gone")]
    assert not done.passed


def test_a_process_that_does_not_answer_is_ended() -> None:
    """After the patience is over; its rows count as not run."""
    asked = soak_rows.rows()[:1]
    done = soak_processes.run(asked, child=child("time.sleep(600)"), patience=2.0)
    assert done.not_run == [(asked[0].name, "its process did not answer for 2 s")]


def test_no_pair_is_no_pass() -> None:
    assert not soak_processes.run([]).passed


@pytest.mark.full("keras3")
@pytest.mark.flavour
def test_an_injected_difference_is_reported(flavour: str) -> None:
    """The whole way: a process whose PyTorch side trains with another epsilon."""
    code = """
        import dataclasses
        from torch_impl.backend import TorchBackend
        from benchmarks.soak import child
        create = TorchBackend.create
        def changed(self, spec, dtype):
            optimizer = dataclasses.replace(spec.optimizer, epsilon=1e-5)
            return create(self, dataclasses.replace(spec, optimizer=optimizer), dtype)
        TorchBackend.create = changed
        child.main()
    """
    (row,) = (row for row in soak_rows.rows() if ONLY in row.name and row.flavour == flavour)
    done = soak_processes.run([row], child=(sys.executable, "-c", textwrap.dedent(code)))
    assert not done.not_run
    assert {dtype for _, dtype, _ in done.alarms} >= {"float64"}
    assert done.alarms[0][2][0].startswith("float64 step ")
    assert not done.passed
