"""The command line: one set of flags for every entry point, read without any framework."""

from __future__ import annotations

import argparse
import dataclasses
import re
import subprocess
import sys

import pytest

from parity.cli import parser as cli
from parity.cli.flags import resolve
from parity.cli.flags.spec import flag_of, model_fields, reader
from parity.cli.request import Request
from parity.data import datasets
from parity.options import Accepts
from parity.reference.optimizers.spec import OptimizerSpec
from parity.specs.registry import MODELS
from parity.specs.training import DataSpec, TrainingSpec

COMMANDS = ("train", "evaluate", "predict", "record", "replay")

IMPORTED = """
import runpy, sys
sys.argv = {argv}
try:
    {start}
except SystemExit:
    pass
heavy = {{"numpy", "rich", "safetensors", "tensorflow", "tf_keras", "keras", "torch"}}
print("imported:", *sorted(heavy & sys.modules.keys()))
"""


def help_of(parser: argparse.ArgumentParser, command: str, capsys: pytest.CaptureFixture) -> str:
    with pytest.raises(SystemExit) as ended:
        parser.parse_args([command, "--help"])
    assert ended.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS)
def test_twins_share_every_flag(command: str, capsys: pytest.CaptureFixture) -> None:
    """Both entry points print the same help but for their own name."""
    texts = [help_of(cli.backend_parser(name), command, capsys) for name in ("keras", "torch")]
    assert texts[0].split() == texts[1].replace("torch_impl", "keras_impl").split()


@pytest.mark.parametrize("family", MODELS)
def test_every_field_of_a_spec_has_a_flag(family: str, capsys: pytest.CaptureFixture) -> None:
    """What a spec can say, `train` can be told."""
    text = help_of(cli.backend_parser("torch"), "train", capsys)
    flags = set(re.findall(r"--[a-z0-9-]+", text))
    for spec in (MODELS[family], OptimizerSpec, DataSpec, TrainingSpec):
        for entry in dataclasses.fields(spec):
            name = "optimizer" if (spec, entry.name) == (OptimizerSpec, "name") else entry.name
            assert (flag_of(name) in flags) == entry.metadata["flag"], name


@pytest.mark.parametrize(
    ("argv", "start"),
    [
        (["parity", "--help"], "from parity.cli import main; main()"),
        (["parity", "explain", "--help"], "from parity.cli import main; main()"),
        (["parity", "check", "--help"], "from parity.cli import main; main()"),
        (["parity", "convert", "--help"], "from parity.cli import main; main()"),
        (["parity", "run", "--help"], "from parity.cli import main; main()"),
        (["", "--help"], "runpy.run_module('torch_impl', run_name='__main__')"),
        (["", "train", "--help"], "runpy.run_module('keras_impl', run_name='__main__')"),
        (["", "train", "--rate", "1"], "runpy.run_module('torch_impl', run_name='__main__')"),
    ],
)
def test_help_imports_nothing_heavy(argv: list[str], start: str) -> None:
    """Neither help nor a wrong flag waits for NumPy or a framework."""
    code = IMPORTED.format(argv=argv, start=start)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1].strip() == "imported:"


def test_data_sets_are_those_that_exist() -> None:
    """The names that --dataset accepts are the data module's, in its order."""
    assert cli.DATA_NAMES == datasets.DATASETS


@pytest.mark.parametrize("entry", sorted(model_fields()))
def test_flag_shows_its_default(entry: str, capsys: pytest.CaptureFixture) -> None:
    """The help of each option names its default and the models that take it."""
    text = " ".join(help_of(cli.backend_parser("keras"), "train", capsys).split())
    families = model_fields()[entry][1]
    option = re.split(f" {flag_of(entry)}(?![a-z-])", text)[-1]
    described, default = option.split("(default: ")[:2]
    if len(families) < len(MODELS):
        assert ", ".join(families) + ":" in described
    for family in families:
        value = next(x.default for x in dataclasses.fields(MODELS[family]) if x.name == entry)
        words = " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
        words = f"{value:g}" if isinstance(value, float) else words
        shown = {part.split()[-1]: part for part in default.split(")")[0].split("; ")}
        assert words in shown or words == default.split(")")[0]
        if len(shown) > 1:
            assert family in shown[words]


@pytest.mark.parametrize(
    ("entry", "flags", "expected"),
    [
        ("train", "--dataset fashion_mnist", "auto"),
        ("train", "--dataset mnist", "auto"),
        ("train", "--dataset fashion_mnist --data embedded", "embedded"),
        ("record", "--dataset fashion_mnist", "embedded"),
        ("record", "--dataset digits", "embedded"),
        ("record", "--dataset mnist", "auto"),
        ("record", "--dataset mnist --download", "auto download"),
        ("record", "--dataset fashion_mnist --download", "auto download"),
        ("record", "--dataset fashion_mnist --data-dir X", "auto X"),
        ("record", "--dataset fashion_mnist --data embedded --data-dir X", "embedded X"),
        ("record", "--dataset fashion_mnist --data full", "full"),
    ],
)
def test_size_that_is_loaded(
    monkeypatch: pytest.MonkeyPatch, entry: str, flags: str, expected: str
) -> None:
    """What --data says counts; without it, what the command and the data set call for."""
    asked: list[str] = []

    def load(name: str, *, size: str, data_dir: str | None, download: bool) -> None:
        asked.extend([size, *([data_dir] if data_dir else []), *(["download"] if download else [])])

    monkeypatch.setattr(datasets, "load", load)
    words = [entry, "--model", "cnn", *flags.split(), *(["--out=y"] if entry == "record" else [])]
    resolve.dataset_for(cli.backend_parser("torch").parse_args(words), "cnn")
    assert " ".join(asked) == expected


@pytest.mark.parametrize(
    "argv",
    [
        "",
        "--dataset digits --data full --data-dir=-odd --download",
        "--no-batch-norm --hidden --kernel-size 5",
        "--batch-norm --hidden 32 16 --channels 4 8",
        "--flavour keras3 --device cuda:1 --threads 3",
        "--optimizer momentum --learning-rate 0.1 --momentum 0.3333333333333333",
        "--head sigmoid --positive-class 3 --output probabilities --seed 7 --batch-size 1",
        "--dtype float32 --steps 17 --seeds 3 --no-bidirectional --cell lstm",
    ],
)
def test_run_passes_its_flags_to_record(argv: str) -> None:
    """The request has, after a trip through JSON, exactly what `record` would have parsed."""
    models = ["--model", "cnn", "rnn"]
    words = [*models, *argv.split()]
    run = cli.parity_parser().parse_args(["run", *words, "--json", "x"])
    record = cli.backend_parser("torch").parse_args(["record", *words, "--out=y"])
    request = Request.from_json(Request.record("torch", run).to_json())
    actual, expected = vars(request.arguments("y")), {**vars(record), "backend": "torch"}
    assert actual == expected
    assert {name: type(value) for name, value in actual.items()} == {
        name: type(value) for name, value in expected.items()
    }


@pytest.mark.parametrize("device", ["cpu", "cuda", "cuda:0", "cuda:12"])
def test_devices_that_are_spelled_right(device: str) -> None:
    """Known spellings of a device go through to the framework."""
    args = cli.backend_parser("torch").parse_args(["train", "--model=cnn", f"--device={device}"])
    assert args.device == device


@pytest.mark.parametrize(
    ("accepts", "text"),
    [
        (Accepts(float, above=0), "1e300"),
        (Accepts(float, above=0), "1e-300"),
        (Accepts(float, minimum=0, below=1), "0.99999999999"),
    ],
)
def test_what_float32_makes_of_a_number_counts(accepts: Accepts, text: str) -> None:
    """A number that float32 rounds out of its range is refused."""
    with pytest.raises(argparse.ArgumentTypeError, match=re.escape(text)):
        reader(accepts)(text)
