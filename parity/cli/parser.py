"""The command lines of ``parity``, ``python -m keras_impl`` and ``python -m torch_impl``.

Nothing here imports a framework; the module of a command is imported only when it runs.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from parity import __version__
from parity.cli import execute
from parity.cli.flags import allow, spec
from parity.cli.flags import pair as pair_flags
from parity.cli.flags.spec import reader
from parity.constants import DTYPES, FLAVOURS
from parity.options import Accepts
from parity.reference.metrics import table
from parity.specs.registry import MODELS
from parity.specs.training import DataSpec

DATA_NAMES = ("fashion_mnist", "japanese_vowels", "digits", "mnist")
"""The same as in :mod:`parity.data.datasets`, which imports NumPy."""


MOST_STEPS = 10_000
"""Largest number of steps of a ladder: all batches and masks are kept in memory, as every ensemble
member uses the same."""
MOST_THREADS = 1024
MOST_SEEDS = 100


class OneLineParser(argparse.ArgumentParser):
    """Argument parser with one-line errors, exit code 2, and no abbreviated flags."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "allow_abbrev": False})

    def error(self, message: str) -> NoReturn:
        """Print the message in one line and exit."""
        self.exit(2, f"{self.prog}: error: {' '.join(message.split())} (see {self.prog} --help)\n")


def backend_main(backend: str, argv: Sequence[str] | None = None) -> NoReturn:
    """Run ``python -m <backend>_impl``; see :func:`parity.cli.execute.execute`."""
    parser = backend_parser(backend)
    args = parser.parse_args(argv)
    args.backend = backend
    execute.execute(parser.prog, args)


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command ``parity``; see :func:`parity.cli.execute.execute`."""
    parser = parity_parser()
    words = sys.argv[1:] if argv is None else argv
    args = parser.parse_args(words)
    args.words = (parser.prog, *words)
    execute.execute(parser.prog, args)


def backend_parser(backend: str) -> OneLineParser:
    """Return the parser of an implementation's command line."""
    parser = OneLineParser(
        prog=f"python -m {backend}_impl",
        description="Train, evaluate, predict and record the registered classifiers.",
    )
    add = _commands(parser).add_parser

    train = add("train", help="train a model, print loss and accuracy by epoch")
    add_run_flags(train, several=False, epochs=True, data="auto")
    train.add_argument("--out", metavar="DIR", help="save the trained weights in this new folder")
    _add_checkpoint_flags(train)

    evaluate = add("evaluate", help="print metrics of trained weights")
    _add_weights_flags(evaluate)
    evaluate.add_argument(
        "--metrics",
        nargs="+",
        choices=tuple(table.METRICS),
        default=[],
        metavar="NAME",
        help=table.help_text(),
    )
    evaluate.add_argument(
        "--top-k",
        type=reader(Accepts(int, minimum=1)),
        metavar="K",
        help=f"k of the metric top_k (default: {table.TOP_K})",
    )

    predict = add("predict", help="print labels and probabilities from trained weights")
    _add_weights_flags(predict)
    predict.add_argument("--out", metavar="FILE", help="write them to this new .csv or .npz file")

    record = add("record", help="run every rung of the ladder and save the tensors")
    add_record_flags(record)
    record.add_argument(
        "--out",
        metavar="DIR",
        required=True,
        help="new folder; with several models, it has a subfolder for each",
    )

    replay = add("replay", help="run each layer with the inputs of another record's layer")
    replay.add_argument("teacher", metavar="RECORD", help="folder written by record")
    replay.add_argument("--out", metavar="DIR", required=True, help="new folder")
    _add_data_flags(replay)
    _add_process_flags(replay)
    return parser


def _add_checkpoint_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("checkpoints")
    group.add_argument(
        "--checkpoint",
        metavar="FILE",
        help="write a checkpoint, from which training can be resumed, after each epoch",
    )
    group.add_argument(
        "--checkpoint-steps",
        type=reader(Accepts(int, minimum=1)),
        metavar="N",
        help="also write a checkpoint every N steps",
    )
    group.add_argument(
        "--save-best-only",
        action="store_true",
        help="write only after an epoch that is better than all before (see --monitor)",
    )
    group.add_argument(
        "--resume",
        metavar="FILE",
        help="resume from a checkpoint of either implementation, written with the same flags (more "
        "epochs are accepted); without --checkpoint, new checkpoints replace it",
    )
    group.add_argument(
        "--csv-log", metavar="FILE", help="write the metrics of each epoch as a row of this file"
    )


def parity_parser() -> OneLineParser:
    """Return the parser of ``parity``."""
    parser = OneLineParser(
        prog="parity",
        description="Check whether a Keras and a PyTorch model are the same, "
        "and if not, report where they first differ.",
    )
    add = _commands(parser).add_parser

    run = add("run", help="record with both frameworks at the same time, then compare")
    add_record_flags(run)
    run.add_argument("--out", metavar="DIR", help="new folder (default: one in runs/)")
    allow.add_to(run)
    _add_json_flag(run)

    compare = add("compare", help="compare two records; needs no framework")
    compare.add_argument("a", metavar="RECORD", help="folder written by record")
    compare.add_argument("b", metavar="RECORD", help="folder written by record")
    compare.add_argument(
        "--replay",
        metavar="RECORD",
        help="folder written by replay; shows whether a layer differs with equal inputs",
    )
    compare.add_argument("--checks", action="store_true", help="print every check")
    allow.add_to(compare)
    _add_json_flag(compare)

    check = add("check", help="compare your own pair of models, and name the cause of a difference")
    pair_flags.add_check(check)
    _add_json_flag(check)

    convert = add("convert", help="convert a weight file of one framework to one of the other")
    pair_flags.add_convert(convert)

    explain = add("explain", help="print known differences between the frameworks")
    explain.add_argument(
        "id", metavar="ID", nargs="?", help="id of a difference (default: list all)"
    )
    _add_json_flag(explain)
    return parser


def _commands(parser: OneLineParser) -> Any:
    parser.add_argument("--version", action="version", version=f"keras-torch-parity {__version__}")
    return parser.add_subparsers(dest="command", required=True, metavar="COMMAND")


def _add_json_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--json", metavar="FILE", help="also write the result as JSON to this file, replacing it"
    )


def add_record_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``record``, which accepts several models and dtypes."""
    add_run_flags(parser, several=True, epochs=False, data="embedded, but for mnist auto")
    parser.add_argument(
        "--dtype", nargs="+", choices=DTYPES, default=list(DTYPES), help="(default: both)"
    )
    parser.add_argument(
        "--steps",
        type=reader(Accepts(int, minimum=1, below=MOST_STEPS + 1)),
        default=10,
        metavar="K",
        help=f"optimizer steps, at most {MOST_STEPS}, as all masks are kept in memory "
        "(default: 10)",
    )
    parser.add_argument(
        "--seeds",
        type=reader(Accepts(int, minimum=1, below=MOST_SEEDS + 1)),
        default=1,
        metavar="N",
        help="number of seeds to train float32 from, to compare loss, accuracy and predictions "
        "when rounding determines the weights (default: 1)",
    )


def add_run_flags(
    parser: argparse.ArgumentParser, *, several: bool, epochs: bool, data: str
) -> None:
    """Add the flags of a spec (model, data, optimizer, training) and of the process."""
    parser.add_argument(
        "--model", required=True, choices=tuple(MODELS), nargs="+" if several else None
    )
    group = parser.add_argument_group("data")
    group.add_argument("--dataset", choices=DATA_NAMES, help="(default: the model's own)")
    _add_data_flags(group)
    group.add_argument(
        "--data",
        choices=("auto", "embedded", "full"),
        help=f"auto: the full set if it is found (default: full with --data-dir or "
        f"--download, else {data})",
    )
    spec.add_fields(group, DataSpec)
    spec.add_model(parser)
    spec.add_training(parser, epochs=epochs)
    _add_process_flags(parser)
    parser.add_argument(
        "--flavour",
        choices=FLAVOURS,
        help="Keras version to run, whose formulas PyTorch follows (default: tf_keras)",
    )
    if not several:
        parser.add_argument("--dtype", choices=DTYPES, default="float32", help="(default: float32)")


def _add_weights_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--weights", metavar="DIR", required=True, help="folder written by train --out"
    )
    parser.add_argument(
        "--input",
        metavar="FILE",
        help="your own examples: .npz with x, and if needed y and lengths (default: the test set)",
    )
    _add_data_flags(parser)
    parser.add_argument("--dtype", choices=DTYPES, help="(default: that of the training)")
    _add_process_flags(parser)


def _add_data_flags(parser: Any) -> None:
    parser.add_argument("--data-dir", metavar="DIR", help="folder of the full data set")
    parser.add_argument(
        "--download",
        action="store_true",
        default=None,
        help="download the full data set if it is not found",
    )


def _add_process_flags(parser: Any) -> None:
    parser.add_argument(
        "--device", type=_device, default="cpu", help="cpu, cuda or cuda:N (default: cpu)"
    )
    parser.add_argument(
        "--threads",
        type=reader(Accepts(int, minimum=1, below=MOST_THREADS + 1)),
        metavar="N",
        help="(default: the framework's choice)",
    )


def _device(text: str) -> str:
    if not re.fullmatch(r"cpu|cuda(:[0-9]{1,3})?", text):
        raise argparse.ArgumentTypeError(f"received {text!r}, accepted: cpu, cuda or cuda:N")
    return text
