"""The commands as users start them: processes, exit codes, what they print and what they leave."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from parity.constants import FLAVOURS
from parity.ladder import record
from parity.numerics import tolerance
from parity_tests.conftest import Run
from parity_tests.support.report_schema import errors

SMALL = ["--dataset", "digits", "--seed", "1", "--threads", "1"]
PARITY = [sys.executable, "-c", "from parity.cli import main; main()"]


def command(entry: str, *flags: object) -> list[str]:
    start = PARITY if entry == "parity" else [sys.executable, "-m", f"{entry}_impl"]
    return [*start, *map(str, flags)]


def start(entry: str, *flags: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(entry, *flags),
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
        check=False,
    )


@contextlib.contextmanager
def started(*words: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A process that listens to Ctrl-C even where the suite itself runs in the background."""
    process = subprocess.Popen(
        words,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        with process:
            yield process
    finally:
        process.kill()


def succeed(entry: str, *flags: object) -> str:
    done = start(entry, *flags)
    assert done.returncode == 0, done.stderr
    return done.stdout


def figures(line: str) -> tuple[float, float]:
    found = re.search(r"loss ([0-9.]+)  accuracy ([0-9.]+)", line)
    assert found, line
    return float(found[1]), float(found[2])


def processes_with(text: str) -> dict[int, str]:
    """Command lines of living processes that mention a text, by the process's number."""
    found = {}
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in line:
            found[int(file.parent.name)] = line
    return found


def wait_for(text: str, count: int) -> dict[int, str]:
    """The processes that mention a text, as soon as there are so many, or after a minute."""
    until = time.monotonic() + 60
    while len(found := processes_with(text)) != count and time.monotonic() < until:
        time.sleep(0.05)
    return found


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory, flavour: str) -> Path:
    """Softmax regression on the digits, trained for two epochs in Keras."""
    out = tmp_path_factory.mktemp("trained") / "weights"
    flags = ("--model", "softmax", "--hidden", "--flavour", flavour, "--epochs", 2, "--out", out)
    said = succeed("keras", "train", *SMALL, *flags)
    assert re.findall(r"^epoch (\d/\d)", said, re.MULTILINE) == ["1/2", "2/2"]
    return out


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, flavour: str) -> tuple[Path, str, str]:
    """A whole `parity run`: its folder, its report and what it said on stderr."""
    out = tmp_path_factory.mktemp("run") / "out"
    flags = ["--model", "softmax", "--hidden", "--steps", "2", "--dtype", "float64"]
    done = start(
        *("parity", "run", *SMALL, *flags, "--flavour", flavour),
        *("--out", out, "--json", out.with_suffix(".json")),
    )
    assert done.returncode == 0, done.stderr
    return out, done.stdout, done.stderr


def test_weights_go_from_keras_to_torch(weights: Path, run_here: Run) -> None:
    """Both frameworks find the same accuracy, and the same loss to 1e-6, in the same weights.

    What other metrics say of them is the same in print, and its table has a row for each class.
    """
    metrics = ("--metrics", "top_k", "precision", "confusion_matrix", "--top-k", 2)
    flags = ("evaluate", "--weights", weights, *metrics)
    said = [succeed("keras", *flags), run_here("torch", *flags)]
    found = [figures(text) for text in said]
    lines = said[0].splitlines()[1:]
    assert lines == said[1].splitlines()[1:]
    assert [line.split()[0] for line in lines[:3]] == ["top_k", "precision", "confusion_matrix"]
    assert len(lines[3:]) == 1 + len(lines[3].split()) == 11
    assert found[0][1] == found[1][1]
    assert found[0][0] == pytest.approx(found[1][0], abs=2e-6)
    with record.read(weights) as trained:
        assert trained.header.results["float32"]["accuracy"] == pytest.approx(found[0][1], abs=1e-4)


def test_weights_carry_their_flavour(weights: Path, flavour: str) -> None:
    """The record says which Keras trained it, by spec and by version."""
    with record.read(weights) as trained:
        assert trained.header.spec.model.flavour == flavour
        assert {name for name in FLAVOURS if name in trained.header.versions} == {flavour}


def test_predict_writes_what_it_prints(weights: Path, tmp_path: Path, run_here: Run) -> None:
    """Labels and probabilities on stdout, in .csv and in .npz are the same."""
    files = [tmp_path / "deep" / name for name in ("rows.csv", "rows.npz")]
    flags = ("torch", "predict", "--weights", weights, "--out")
    printed = succeed(*flags, files[0]), run_here(*flags, files[1])
    assert printed[0] == printed[1]
    lines = [line.split("\t") for line in printed[0].splitlines()]
    with files[0].open(newline="") as file:
        assert list(csv.reader(file)) == lines
    with np.load(files[1]) as arrays:
        assert [line[1] for line in lines[1:]] == [str(label) for label in arrays["labels"]]
        assert abs(arrays["probabilities"].sum(axis=1) - 1).max() <= tolerance.ROUNDING_MAX


@pytest.mark.parametrize("reader", ["head -n 3", pytest.param("true", marks=pytest.mark.full)])
def test_predict_into_a_pipe_that_closes(weights: Path, reader: str) -> None:
    """A reader who has seen enough ends the command without a word."""
    line = f"{sys.executable} -m torch_impl predict --weights {weights} | {reader}"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("entry", ["parity", pytest.param("torch", marks=pytest.mark.full)])
def test_full_output_device(entry: str, weights: Path, ran: tuple[Path, str, str]) -> None:
    """A disk that is full ends a command with one line and code 2."""
    records = (ran[0] / "keras", ran[0] / "torch")
    flags = ("compare", *records) if entry == "parity" else ("predict", "--weights", weights)
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command(entry, *flags), stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_run_prints_its_report_alone(ran: tuple[Path, str, str]) -> None:
    """Off a terminal, stdout holds the report, stderr nothing; records and data are there."""
    out, report, said = ran
    assert "SAME" in report
    assert said == ""
    assert sorted(entry.name for entry in out.iterdir()) == ["keras", "torch"]
    data = json.loads(out.with_suffix(".json").read_text())
    assert errors(data) == []
    assert (data["verdict"], data["provenance"]["command"][:2]) == ("same", ["parity", "run"])


def test_compare_needs_no_framework(ran: tuple[Path, str, str]) -> None:
    """`parity compare` says SAME with both frameworks unimportable."""
    hide = (
        "import sys; sys.modules.update(dict.fromkeys(['torch','tensorflow','keras','tf_keras']))"
    )
    flags = ["compare", *(str(ran[0] / name) for name in ("torch", "keras"))]
    done = subprocess.run(
        [sys.executable, "-c", f"{hide}; from parity.cli import main; main({flags!r})"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "SAME" in done.stdout


def test_compare_tells_a_difference(ran: tuple[Path, str, str], tmp_path: Path) -> None:
    """One weight moved by 1e-6 is DIFFERENT, with exit code 1."""
    with record.read(ran[0] / "torch") as found:
        tensors = {name: found.tensor(name).copy() for name in found.names}
        header = found.header
    tensors["float64/step/weights/logits/kernel"][5, 5] += 1e-6
    record.write(tmp_path / "torch", header, tensors)
    done = start("parity", "compare", ran[0] / "keras", tmp_path / "torch")
    assert done.returncode == 1
    assert "DIFFERENT" in done.stdout
    assert done.stderr == ""


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """A folder for temporary files, which no process must leave anything in."""
    path = tmp_path / "scratch"
    path.mkdir()
    return path


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.full)]
)
def test_run_ended_from_outside_leaves_nothing(
    tmp_path: Path, scratch: Path, number: signal.Signals
) -> None:
    """Ctrl-C and SIGTERM end the children and theirs too, in one line, with no folder left."""
    out = tmp_path / "out"
    flags = ("--model", "cnn", *SMALL, "--steps", 5000, "--out", out)
    with started(*command("parity", "run", *flags), TMPDIR=str(scratch)) as running:
        wait_for(str(tmp_path), 4)  # itself, a child each, and the Keras ensemble's
        running.send_signal(number)
        printed, said = running.communicate(timeout=60)
    assert running.returncode == 128 + number
    assert printed == ""
    assert len(said.splitlines()) == 1
    # a child that was killed amid TensorFlow's own code leaves the end of its own to that one
    assert wait_for(str(tmp_path), 0) == {}
    assert list(tmp_path.rglob("*")) == [scratch]


def test_a_run_that_is_killed_takes_its_children_along(tmp_path: Path, scratch: Path) -> None:
    """Even SIGKILL, which nothing can answer, leaves no process behind and no record."""
    out = tmp_path / "out"
    flags = ("--model", "softmax", *SMALL, "--steps", 5000, "--out", out)
    with started(*command("parity", "run", *flags), TMPDIR=str(scratch)) as running:
        assert len(wait_for(str(tmp_path), 4)) == 4
        running.kill()
        running.communicate(timeout=60)
        assert wait_for(str(tmp_path), 0) == {}
    assert not out.exists()


@pytest.mark.parametrize(
    "models", [pytest.param(["softmax"], marks=pytest.mark.full), ["softmax", "cnn"]]
)
def test_record_ends_with_its_second_process(
    tmp_path: Path, scratch: Path, models: list[str]
) -> None:
    """Keras's member of another thread count is killed: one line says so, and nothing stays."""
    flags = ("--model", *models, *SMALL, "--steps", 5000, "--out", tmp_path / "out")
    with started(*command("keras", "record", *flags), TMPDIR=str(scratch)) as running:
        # what is forked has its parent's command line at first, and may be nothing that matters
        others = wait_for(str(scratch), 1)
        assert len(others) == 1
        os.kill(*others, signal.SIGKILL)
        printed, said = running.communicate(timeout=60)
    assert running.returncode == 2
    assert printed == ""
    assert said == (
        "python -m keras_impl record: error: the ensemble's second process: ended by SIGKILL\n"
    )
    assert list(tmp_path.rglob("*")) == [scratch]


def test_run_ends_with_a_child_that_fails(tmp_path: Path) -> None:
    """The first child's error line is shown, the other child ends, and nothing stays."""
    out = tmp_path / "out"
    flags = ("--model", "cnn", *SMALL, "--steps", 5000, "--device", "cuda:99", "--out", out)
    done = start("parity", "run", *flags)
    assert done.returncode == 2
    assert re.fullmatch(r"parity run: error: (keras|torch): --device: .*cuda:99.*\n", done.stderr)
    assert processes_with(str(out)) == {}
    assert list(tmp_path.iterdir()) == []


def test_train_interrupted_leaves_nothing(tmp_path: Path) -> None:
    """Ctrl-C in the middle of training is one line, code 130, and no weights."""
    flags = ("--model", "softmax", *SMALL, "--epochs", 10000, "--out", tmp_path / "out")
    with started(*command("torch", "train", *flags)) as training:
        assert training.stdout is not None
        while not training.stdout.readline().startswith("epoch"):
            assert training.poll() is None
        training.send_signal(signal.SIGINT)
        _, said = training.communicate(timeout=60)
    assert training.returncode == 130
    assert said == "python -m torch_impl train: interrupted\n"
    assert list(tmp_path.iterdir()) == []


def shown_on_a_terminal(words: list[str], out: Path) -> bytes:
    """What a command shows on its stderr, a terminal; its stdout goes to a file."""
    master, slave = pty.openpty()
    with out.open("w") as log:
        done = subprocess.run(
            words,
            stdout=log,
            stderr=slave,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
            check=False,
        )
    os.close(slave)
    shown = b""
    try:
        while piece := os.read(master, 65536):
            shown += piece
    except OSError:  # what a terminal without a writer answers on Linux
        pass
    finally:
        os.close(master)
    assert done.returncode == 0
    return shown


def test_progress_is_for_terminals(tmp_path: Path) -> None:
    """On a terminal stderr shows a bar, while stdout in a file holds the lines of the epochs."""
    words = command("torch", "train", "--model", "softmax", *SMALL, "--epochs", 2)
    shown = shown_on_a_terminal(words, tmp_path / "log")
    assert b"starting torch" in shown
    assert b"epoch 2/2" in shown
    lines = (tmp_path / "log").read_text().splitlines()
    assert [line.split("  ")[0] for line in lines[1:3]] == ["epoch 1/2", "epoch 2/2"]


@pytest.mark.parametrize("entry", [pytest.param("keras", marks=pytest.mark.full), "torch"])
def test_evaluate_shows_that_it_works(
    weights: Path, tmp_path: Path, entry: str, run_here: Run
) -> None:
    """While the framework starts and computes a terminal shows so; stdout is the same as ever."""
    words = command(entry, "evaluate", "--weights", weights)
    shown = shown_on_a_terminal(words, tmp_path / "log")
    assert f"starting {entry}".encode() in shown
    assert f"{entry} softmax on digits test set".encode() in shown
    assert (tmp_path / "log").read_text() == run_here(entry, "evaluate", "--weights", weights)


@pytest.mark.parametrize(
    ("entry", "module", "extra"), [("torch", "torch", "torch"), ("keras", "tensorflow", "keras")]
)
@pytest.mark.parametrize("how", ["absent", "broken"])
def test_missing_framework(tmp_path: Path, entry: str, module: str, extra: str, how: str) -> None:
    """Without its framework an implementation says in one line how to install it."""
    shadow = tmp_path / "shadow"
    if how == "broken":
        (shadow / module).mkdir(parents=True)
        (shadow / module / "__init__.py").write_text("raise ImportError('no\\nlibrary')\n")
        done = start(entry, "train", "--model", "softmax", *SMALL, PYTHONPATH=str(shadow))
    else:
        code = (
            "import importlib.util as u; find = u.find_spec\n"
            f"u.find_spec = lambda name, *a: None if name == {module!r} else find(name, *a)\n"
            f"from parity.cli import backend_main\n"
            f"backend_main({entry!r}, ['train', '--model', 'softmax', '--dataset', 'digits'])"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
    assert done.returncode == 2
    assert done.stdout == ""
    assert f".[{extra}]" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_other_flavour_runs_alone(tmp_path: Path, flavour: str) -> None:
    """`--flavour` chooses the Keras, and `predict` takes it from the record."""
    other = next(name for name in FLAVOURS if name != flavour)
    out = tmp_path / "out"
    alone = {name: x for name, x in os.environ.items() if name != "PARITY_FLAVOUR"}
    flags = ("--model", "softmax", "--hidden", "--flavour", other, "--epochs", 1, "--out", out)
    for words in (("train", *SMALL, *flags), ("predict", "--weights", out)):
        done = subprocess.run(
            command("keras", *words), capture_output=True, text=True, env=alone, check=False
        )
        assert done.returncode == 0, done.stderr
    with record.read(out) as trained:
        assert other in trained.header.versions
