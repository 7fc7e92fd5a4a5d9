"""Every flag of ``python -m keras_impl``, ``python -m torch_impl`` and ``parity``, once.

Nothing here imports a framework, and a command's own module is imported only when it runs.
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
"""Steps that a ladder may climb: the batches and masks of all are held in memory, for every rung
and ensemble member to see the same."""
MOST_THREADS = 1024
MOST_SEEDS = 100


class OneLineParser(argparse.ArgumentParser):
    """Says what is wrong in one line, with exit code 2; flags cannot be shortened."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "allow_abbrev": False})

    def error(self, message: str) -> NoReturn:
        """Print one line and exit."""
        self.exit(2, f"{self.prog}: error: {' '.join(message.split())} (see {self.prog} --help)\n")


def backend_main(backend: str, argv: Sequence[str] | None = None) -> NoReturn:
    """Entry point of the implementation ``backend``; see :func:`parity.cli.execute.execute`."""
    parser = backend_parser(backend)
    args = parser.parse_args(argv)
    args.backend = backend
    execute.execute(parser.prog, args)


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Entry point ``parity``; see :func:`parity.cli.execute.execute`."""
    parser = parity_parser()
    words = sys.argv[1:] if argv is None else argv
    args = parser.parse_args(words)
    args.words = (parser.prog, *words)
    execute.execute(parser.prog, args)


def backend_parser(backend: str) -> OneLineParser:
    """The parser that every implementation shares."""
    parser = OneLineParser(
        prog=f"python -m {backend}_impl",
        description="Train, evaluate, predict and record the registered classifiers.",
    )
    add = _commands(parser).add_parser

    train = add("train", help="train a model, print loss and accuracy by epoch")
    add_run_flags(train, several=False, epochs=True, data="auto")
    train.add_argument("--out", metavar="DIR", help="keep the trained weights in this new folder")
    _add_checkpoint_flags(train)

    evaluate = add("evaluate", help="cross-entropy, accuracy and more of trained weights")
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
        help=f"places of the metric top_k (default: {table.TOP_K})",
    )

    predict = add("predict", help="labels and probabilities from trained weights")
    _add_weights_flags(predict)
    predict.add_argument("--out", metavar="FILE", help="write them to this new .csv or .npz file")

    record = add("record", help="climb the ladder and keep what every rung leaves")
    add_record_flags(record)
    record.add_argument(
        "--out",
        metavar="DIR",
        required=True,
        help="new folder; with several models, one below it each",
    )
    record.add_argument(  # for a member of another process's ensemble
        "--no-ensemble", dest="ensemble", action="store_false", default=None, help=argparse.SUPPRESS
    )

    replay = add("replay", help="run each layer by itself, fed what another record's layer was")
    replay.add_argument("teacher", metavar="RECORD", help="folder written by the other's record")
    replay.add_argument("--out", metavar="DIR", required=True, help="new folder")
    _add_data_flags(replay)
    _add_process_flags(replay)
    return parser


def _add_checkpoint_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("checkpoints")
    group.add_argument(
        "--checkpoint",
        metavar="FILE",
        help="write all that training can be gone on from to this file, after each epoch",
    )
    group.add_argument(
        "--checkpoint-steps",
        type=reader(Accepts(int, minimum=1)),
        metavar="N",
        help="and whenever so many steps were made",
    )
    group.add_argument(
        "--save-best-only",
        action="store_true",
        help="only after an epoch that is better than all before (see --monitor)",
    )
    group.add_argument(
        "--resume",
        metavar="FILE",
        help="go on from a checkpoint of either implementation, made with the same flags (more "
        "epochs are accepted); without --checkpoint, later ones take its place",
    )
    group.add_argument(
        "--csv-log", metavar="FILE", help="write every epoch's metrics to this file, a row each"
    )


def parity_parser() -> OneLineParser:
    """The parser of ``parity``."""
    parser = OneLineParser(
        prog="parity",
        description="Say whether a Keras and a PyTorch model are the same, "
        "and if not, where they part.",
    )
    add = _commands(parser).add_parser

    run = add("run", help="record with every backend at the same time, then compare")
    add_record_flags(run)
    run.add_argument("--out", metavar="DIR", help="new folder (default: a fresh one under runs/)")
    allow.add_to(run)
    _add_json_flag(run)

    compare = add("compare", help="compare two records; needs no framework")
    compare.add_argument("a", metavar="RECORD", help="folder written by record")
    compare.add_argument("b", metavar="RECORD", help="folder written by record")
    compare.add_argument(
        "--replay",
        metavar="RECORD",
        help="folder written by replay: adds each layer by itself to where the two part",
    )
    compare.add_argument("--checks", action="store_true", help="print every check")
    allow.add_to(compare)
    _add_json_flag(compare)

    check = add("check", help="compare a pair of models of your own, and name what parts them")
    pair_flags.add_check(check)
    _add_json_flag(check)

    convert = add("convert", help="weights from a file of one framework to one of the other")
    pair_flags.add_convert(convert)

    explain = add("explain", help="known differences between the frameworks, and how to port them")
    explain.add_argument(
        "id", metavar="ID", nargs="?", help="of one difference (default: list them all)"
    )
    _add_json_flag(explain)
    return parser


def _commands(parser: OneLineParser) -> Any:
    parser.add_argument("--version", action="version", version=f"keras-torch-parity {__version__}")
    return parser.add_subparsers(dest="command", required=True, metavar="COMMAND")


def _add_json_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--json", metavar="FILE", help="write the same as data to this file, replacing it"
    )


def add_record_flags(parser: argparse.ArgumentParser) -> None:
    """Flags of a climb: several models, several dtypes."""
    add_run_flags(parser, several=True, epochs=False, data="embedded, but for mnist auto")
    parser.add_argument(
        "--dtype", nargs="+", choices=DTYPES, default=list(DTYPES), help="(default: both)"
    )
    parser.add_argument(
        "--steps",
        type=reader(Accepts(int, minimum=1, below=MOST_STEPS + 1)),
        default=10,
        metavar="K",
        help=f"optimizer steps, {MOST_STEPS} at most: the masks of all are held in memory "
        "(default: 10)",
    )
    parser.add_argument(
        "--seeds",
        type=reader(Accepts(int, minimum=1, below=MOST_SEEDS + 1)),
        default=1,
        metavar="N",
        help="train float32 from so many seeds, to compare loss, accuracy and predictions where "
        "rounding alone decides the weights (default: 1)",
    )


def add_run_flags(
    parser: argparse.ArgumentParser, *, several: bool, epochs: bool, data: str
) -> None:
    """Flags that make a spec: model, data, optimizer, training, and how the process runs."""
    parser.add_argument(
        "--model", required=True, choices=tuple(MODELS), nargs="+" if several else None
    )
    group = parser.add_argument_group("data")
    group.add_argument("--dataset", choices=DATA_NAMES, help="(default: the model's own)")
    _add_data_flags(group)
    group.add_argument(
        "--data",
        choices=("auto", "embedded", "full"),
        help=f"auto: the full set where it is found (default: full with --data-dir or "
        f"--download, else {data})",
    )
    spec.add_fields(group, DataSpec)
    spec.add_model(parser)
    spec.add_training(parser, epochs=epochs)
    _add_process_flags(parser)
    parser.add_argument(
        "--flavour",
        choices=FLAVOURS,
        help="the Keras to run, and whose formulas to follow (default: tf_keras)",
    )
    if not several:
        parser.add_argument("--dtype", choices=DTYPES, default="float32", help="(default: float32)")


def _add_weights_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--weights", metavar="DIR", required=True, help="folder that train --out wrote"
    )
    parser.add_argument(
        "--input",
        metavar="FILE",
        help="examples of your own: .npz with x, and where it applies y and lengths "
        "(default: the test set)",
    )
    _add_data_flags(parser)
    parser.add_argument("--dtype", choices=DTYPES, help="(default: the one trained in)")
    _add_process_flags(parser)


def _add_data_flags(parser: Any) -> None:
    parser.add_argument("--data-dir", metavar="DIR", help="where the full data set lies")
    parser.add_argument(
        "--download",
        action="store_true",
        default=None,
        help="fetch the full data set where it is not found",
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
