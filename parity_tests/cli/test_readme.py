"""The README can be followed: its commands run, and its fifth model is SAME."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from parity.cli import parser
from parity_tests.support.diffs import hunks

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^( *)```(\w+)\n(.*?)^\1```$", README, re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[str]:
    """Code blocks of a language, without their indentation."""
    return [textwrap.dedent(text) for _, found, text in BLOCKS if found == language]


COMMANDS = [line for block in blocks("sh") for line in block.splitlines() if line]
MADE = ("make compare", "make test")
COMPARE = "parity run --model softmax dropout cnn rnn --dtype float64 float32"


def shell(command: str, folder: Path, **environment: str) -> str:
    """Run a command as a person in the project's environment would, and return what it printed."""
    done = subprocess.run(
        ["bash", "-ec", command],
        cwd=folder,
        env={
            **{name: value for name, value in os.environ.items() if name != "PARITY_FLAVOUR"},
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(folder),  # the embedded data, whatever this machine has besides
            "OMP_NUM_THREADS": "1",  # small models on busy cores: threads would only wait
            "TF_NUM_INTRAOP_THREADS": "1",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("readme")


@pytest.mark.parametrize(
    "command",
    [
        "python -m keras_impl train --model cnn --dataset fashion_mnist --epochs 3",
        "python -m torch_impl train --model cnn --dataset fashion_mnist --epochs 3",
        "python -m keras_impl record --model rnn --out runs/k && "
        "python -m torch_impl record --model rnn --out runs/t",
        "parity compare runs/k runs/t",
        COMPARE,
        *MADE,
    ],
)
def test_the_commands_people_come_for_are_told(command: str) -> None:
    """The README names them, letter by letter."""
    assert command in COMMANDS


@pytest.mark.parametrize("command", [line for line in COMMANDS if line not in MADE])
def test_every_command_is_accepted(command: str) -> None:
    """Its flags are ones that the command has, with values that it takes."""
    for words in map(shlex.split, command.split(" && ")):
        if words[0] == "parity":
            found = parser.parity_parser().parse_args(words[1:])
        else:
            assert words[:2] == ["python", "-m"]
            entry = words[2].removesuffix("_impl")
            found = parser.backend_parser(entry).parse_args(words[3:])
        assert found


@pytest.mark.full
def test_every_command_runs(folder: Path) -> None:
    """Every command of the README but make succeeds, in its order, in an empty folder."""
    ran = [shell(command, folder) for command in COMMANDS if command not in MADE]
    verdicts = [text.splitlines()[0] for text in ran if "SAME" in text or "DIFFERENT" in text]
    assert len(verdicts) == 4
    assert all(verdict.startswith("SAME: ") for verdict in verdicts)
    assert (folder / "runs" / "labels.csv").is_file()
    assert (folder / "runs" / "verdict.json").is_file()


def test_make_compare_is_what_is_tested_here() -> None:
    """``make compare`` runs a command that the README names, with the embedded data by name."""
    makefile = " ".join((ROOT / "Makefile").read_text().replace("\\\n", " ").split())
    assert f"{COMPARE} --data embedded" in makefile


def masked(text: str) -> list[str]:
    """Lines with every number replaced by a token and every run of spaces by one."""
    numbers = re.compile(r"(?<!\w)-?\d[\d.,]*(e[+-]\d+)?")
    return [" ".join(numbers.sub("#", line).split()) for line in text.splitlines()]


def test_excerpt_is_what_is_printed(tmp_path: Path) -> None:
    """The output shown is today's, line by line, but for the numbers."""
    (excerpt,) = blocks("text")
    (command,) = re.findall(r"^What `(parity run .*)` prints:$", README, re.MULTILINE)
    assert masked(excerpt) == masked(shell(command, tmp_path))


def test_masking_leaves_all_but_numbers() -> None:
    """Two excerpts that differ in a word, a line or a verdict are not taken for the same."""
    assert masked("cnn  loss   1.2e-15  1,024 float32 conv_1  OK") == [
        "cnn loss # # float32 conv_1 OK"
    ]
    assert masked("a 0") == masked("a   1.0e-12")
    assert masked("a 0  OK") != masked("a 0  DIFF")


def test_a_fifth_model_takes_four_touches(tmp_path: Path) -> None:
    """The example diff, applied to a copy of the project, adds a model whose verdict is SAME."""
    for package in ("parity", "keras_impl", "torch_impl", "datasets"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for hunk in hunks((ROOT / "docs" / "examples" / "add_model.diff").read_text()):
        hunk.apply(tmp_path)
    touched = {
        str(path.relative_to(tmp_path))
        for path in tmp_path.rglob("*")
        if path.is_file() and before.get(path) != path.read_bytes()
    }
    assert touched == {
        "parity/specs/bent.py",
        "keras_impl/models/bent.py",
        "torch_impl/models/bent.py",
        "parity/specs/registry.py",
    }
    code = "import sys; from parity.cli import main; main(sys.argv[1:])"
    command = f"python -c '{code}' run --model bent --dataset digits --width 7 --out runs/bent"
    printed = shell(command, tmp_path, PYTHONPATH=str(tmp_path))
    assert printed.startswith("SAME: bent.")
    assert f"record: {Path('runs/bent/keras')}" in printed
