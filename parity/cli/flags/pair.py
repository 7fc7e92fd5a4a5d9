"""Flags of ``parity check`` and ``parity convert``."""

from __future__ import annotations

import argparse

from parity.cli.flags.spec import reader
from parity.options import Accepts

MOST_STEPS = 10_000
"""Largest number of optimizer steps to compare."""

WEIGHTS = ("keras", "torch", "as-is")
"""The same as in :mod:`parity.pairs.forward.setup`, which imports NumPy."""

PAIR = "Python file that defines keras_model(), torch_model() and inputs()"


def add_check(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``parity check``."""
    parser.add_argument(
        "pair",
        metavar="PAIR",
        help=f"{PAIR}, and optionally torch_inputs(), targets(), loss(), "
        "optimizer(): each returns the value of parity.check's argument of that name",
    )
    parser.add_argument(
        "--weights",
        choices=WEIGHTS,
        default="keras",
        help="model whose weights are copied to the other before the comparison; as-is: no copy "
        "(default: keras)",
    )
    _add_map(parser)
    parser.add_argument(
        "--steps",
        type=reader(Accepts(int, minimum=1, below=MOST_STEPS + 1)),
        default=10,
        metavar="K",
        help="optimizer steps, if the file defines optimizer() (default: 10)",
    )
    parser.add_argument(
        "--seed",
        type=reader(Accepts(int, minimum=0, below=2**63)),
        default=0,
        metavar="N",
        help="seed of the models' initial weights and of dropout's random draws (default: 0)",
    )
    parser.add_argument(
        "--out", metavar="DIR", help="also write report.json and report.html to this new folder"
    )


def add_convert(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``parity convert``."""
    parser.add_argument("source", metavar="SOURCE", help="file of weights")
    parser.add_argument(
        "target",
        metavar="TARGET",
        help="new file; either is a .keras, .weights.h5 or .h5 of Keras, or a .safetensors or .pt "
        "(state_dict) of PyTorch",
    )
    parser.add_argument("--pair", metavar="PAIR", required=True, help=PAIR)
    _add_map(parser)


def _add_map(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--map",
        nargs="+",
        action="extend",
        type=_names,
        default=[],
        metavar="KERAS=TORCH",
        help="names of a Keras layer and of the corresponding PyTorch module",
    )


def _names(text: str) -> tuple[str, str]:
    keras, _, torch = text.partition("=")
    if not (keras and torch):
        raise argparse.ArgumentTypeError(
            f"received {text!r}, accepted: KERAS=TORCH, the names of a layer and a module"
        )
    return keras, torch
