"""``parity convert``: convert a weight file of one framework to one of the other."""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path

from parity.errors import ParityError
from parity.pairs import pair_file
from parity.pairs.arguments import mapping
from parity.pairs.convert import convert
from parity.progress import Progress
from parity.system import destinations


def run(args: argparse.Namespace) -> int:
    """Write the file; return exit code 0 if the models' outputs then agree, else 1."""
    source, target, path = (
        Path(args.source),
        destinations.new_path(args.target, "TARGET"),
        Path(args.pair),
    )
    layer_map = mapping(args.map)
    if not source.is_file():
        raise ParityError(f"SOURCE: received {str(source)!r}, accepted: a file of weights")
    with Progress(f"starting {path.name}"):
        arguments = pair_file.load(path)
    with Progress(f"converting {source.name}"):
        made = convert(source, target, arguments, layer_map)
    print(f"{target}: {made.weights:,} weights of {made.layers} layers, from {source}")
    for message, names in (
        ("in no layer that these inputs reach, not copied", made.not_copied),
        ("rounded, because the sum of two weights is stored as one", made.rounded),
    ):
        if names:
            print(textwrap.fill(f"{message}: {', '.join(names)}", 80, subsequent_indent="  "))
    figures = f"relative error {made.observed:.2g} in float64, {made.allowed:.2g} allowed"
    if made.same and made.observed > made.allowed:
        figures += ", because Keras rounds constants; nothing else differs"
    print(f"outputs: {figures}" + ("" if made.same else f"; parity check {path} says why"))
    return 0 if made.same else 1
