"""``parity check``: a pair from a file, the verdict as an exit code, errors in one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

import parity
from parity.cli import parser
from parity.cli.flags import pair
from parity.pairs import check as checking
from parity.pairs import pair_file
from parity.pairs.forward import setup
from parity_tests.conftest import Refused
from parity_tests.pairs.interface.pair_files import FAULT, write
from parity_tests.support.report_schema import errors

pytestmark = pytest.mark.flavour


@pytest.fixture(autouse=True)
def own_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folders of the pairs are forgotten after each test."""
    monkeypatch.setattr(sys, "path", [*sys.path])


def run(*flags: object) -> int:
    with pytest.raises(SystemExit) as ended:
        parser.main(["check", *map(str, flags)])
    return int(ended.value.code or 0)


@pytest.mark.parametrize(("changes", "code"), [([], 0), ([FAULT], 1)])
def test_exit_code_is_the_verdict(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    flavour: str,
    changes: list[tuple[str, str]],
    code: int,
) -> None:
    """0 and SAME for a faithful port, 1 and DIFFERENT with its cause for another epsilon."""
    assert run(write(tmp_path, flavour, *changes)) == code
    said = capsys.readouterr()
    assert said.out.startswith("DIFFERENT: my_pair." if code else "SAME: my_pair.")
    assert ("batch_norm" in said.out) == bool(code)
    assert max(map(len, said.out.splitlines())) <= 80
    assert said.err == ""


@pytest.mark.full("keras3")
def test_process_leaves_stderr_empty(tmp_path: Path, flavour: str) -> None:
    """A process of its own writes report and data, and TensorFlow says nothing on stderr."""
    path = write(tmp_path, flavour, FAULT)
    file, out = tmp_path / "report.json", tmp_path / "out"
    code = "import sys; from parity.cli import main; main(sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", code, "check", path, "--json", file, "--out", out],
        capture_output=True,
        text=True,
        env={k: v for k, v in os.environ.items() if k not in ("TF_CPP_MIN_LOG_LEVEL",)},
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    data = json.loads(file.read_text())
    assert errors(data) == []
    assert (data["name"], data["verdict"]) == ("my_pair", "different")
    assert data["provenance"]["command"][:2] == ["parity", "check"]
    assert data["provenance"]["versions"]["torch"] == metadata.version("torch")
    assert [one["id"] for one in data["causes"]] == ["batch_norm.epsilon"]
    assert data == json.loads((out / "report.json").read_text())
    assert "DIFFERENT" in (out / "report.html").read_text()


def test_map_and_weights_reach_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flavour: str
) -> None:
    """What the flags and the file say is handed to ``parity.check``, and nothing else."""
    told: dict[str, object] = {}

    def check(**given: object) -> object:
        told.update(given)
        raise KeyboardInterrupt

    monkeypatch.setattr("parity.cli.check.check", check)
    loss = ("def inputs():", "def loss():\n    return 'mse'\n\n\ndef inputs():")
    path = write(tmp_path, flavour, loss)
    assert (
        run(path, "--weights", "as-is", "--map", "conv=features", "head=out", "--steps", 3) == 130
    )
    assert set(told) == {
        *("keras_model", "torch_model", "inputs", "loss"),
        *("weights", "layer_map", "steps", "seed"),
    }
    assert (told["loss"], told["weights"], told["steps"]) == ("mse", "as-is", 3)
    assert told["layer_map"] == {"conv": "features", "head": "out"}
    assert np.shape(told["inputs"]) == (2, 6, 6, 3)


def test_interrupted(tmp_path: Path, capsys: pytest.CaptureFixture[str], flavour: str) -> None:
    """Ctrl-C while a model is built ends with one line, and 130."""
    stop = ("    return Net()", "    raise KeyboardInterrupt")
    assert run(write(tmp_path, flavour, stop)) == 130
    assert capsys.readouterr() == ("", "parity check: interrupted\n")


RAISES = ("    return Net()", "    raise ValueError('no\\nnet')")

REFUSED = {
    "syntax": (("def inputs():", "def inputs(:"), "my_pair.py, line 35: SyntaxError: "),
    "import": (("import torch\n", "import torhc\n"), "line 4: ModuleNotFoundError: No module "),
    "exits": (("class Net", "raise SystemExit(3)\nclass Net"), "line 20: SystemExit: 3"),
    "missing": (("def inputs()", "def input()"), "received no inputs(), accepted: keras_model(), "),
    "instance": (("def torch_model():\n    return Net()", "torch_model = Net()"), "received Net, "),
    "builder raises": (RAISES, "my_pair.py, line 32: torch_model() raised ValueError: no"),
    "inputs raise": (("return np.random", "return np.randon"), "inputs() raised AttributeError"),
    "arguments": (("def keras_model()", "def keras_model(x)"), "keras_model() raised TypeError: "),
    "no model": (("return Net()", "return 3"), "its builder returned int, accepted: a torch.nn."),
    "keras shape": (("(2, 6, 6, 3)", "(2, 6, 6, 4)"), "keras_model: cannot be called with inputs"),
    "torch shape": (("(64, 5)", "(65, 5)"), "torch_model: cannot be called with inputs of shape"),
    "ragged": (
        ("return np.random.default_rng(0).normal(size=(2, 6, 6, 3))", "return [[[1.0], 2.0]]"),
        "inputs: received a list of unequal lengths",
    ),
    "no parameters": (
        ("return Net()", "return nn.Flatten()"),
        "torch_model: received Flatten without a parameter, accepted: a model with weights",
    ),
    "text": (("return np.random", "return np.array('a') #"), "inputs: received <U1, accepted: "),
}


@pytest.mark.parametrize("case", REFUSED)
def test_unusable_pair(case: str, refused: Refused, tmp_path: Path, flavour: str) -> None:
    """What is wrong with a file, its functions or its models is one line with the value, and 2."""
    change, expected = REFUSED[case]
    write(tmp_path, flavour, change)
    assert expected in refused("parity", "check", "my_pair.py")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["nowhere.py"], "received 'nowhere.py': No such file or directory; accepted: a Python"),
        (["."], "received '.': Is a directory; accepted: a Python file"),
        (["my_pair.py", "--map", "conv"], "received 'conv', accepted: KERAS=TORCH"),
        (["my_pair.py", "--map", "cov=features"], "received 'cov', accepted: conv"),
        (["my_pair.py", "--map", "conv=nothing"], "received 'nothing', accepted: "),
        (["my_pair.py", "--map", "conv=a", "conv=b"], "conv=a and conv=b, accepted: each layer"),
        (["my_pair.py", "--weights", "mine"], "'mine'"),
        (["my_pair.py", "--json", "."], "--json: cannot write '.': it is a folder"),
        (["my_pair.py", "--out", "my_pair.py"], "--out: my_pair.py exists already"),
        (["my_pair.py", "--out", ""], "--out: . exists already"),
    ],
)
def test_wrong_use(
    words: list[str], expected: str, refused: Refused, tmp_path: Path, flavour: str
) -> None:
    """A flag that cannot be used is one line that names what was received."""
    write(tmp_path, flavour)
    assert expected in refused("parity", "check", *words)


def test_a_disk_that_is_full_leaves_the_verdict(
    tmp_path: Path, flavour: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is on screen before anything is written; then comes a line that says what was not."""
    assert run(write(tmp_path, flavour), "--json", "/dev/full") == 2
    said = capsys.readouterr()
    assert said.out.startswith("SAME")
    line = "parity check: error: --json: cannot write /dev/full: No space left on device\n"
    assert said.err == line


def test_neighbours_of_the_file_can_be_imported(tmp_path: Path, flavour: str) -> None:
    """A pair may import what lies beside it, and may be called as a module that is in use."""
    (tmp_path / "beside_the_pair.py").write_text("WIDTH = 64\n")
    change = ("import torch\n", "import torch\nimport beside_the_pair\n")
    path = write(tmp_path, flavour, change, name="json.py")
    found = pair_file.load(path)
    assert set(found) == set(pair_file.NEEDED)
    assert sys.modules["json"] is json
    sys.modules.pop("beside_the_pair")


def test_public_name() -> None:
    """``parity.check`` is the check; other names are none."""
    assert parity.check is checking.check
    with pytest.raises(AttributeError, match="no attribute 'chekc'"):
        parity.chekc  # noqa: B018
    assert pair.WEIGHTS == setup.WEIGHTS
