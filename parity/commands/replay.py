"""``replay``: run each layer by itself, fed what another record's layer was."""

from __future__ import annotations

import argparse
from pathlib import Path

from parity import from_flags, headers, outputs, record, replaying
from parity.errors import ParityError
from parity.memory import PeakMemory
from parity.progress import Progress


def run(args: argparse.Namespace) -> int:
    """Write a record to be given to ``compare --replay``."""
    out = outputs.new_path(args.out)
    with record.read(Path(args.teacher)) as teacher:
        header = teacher.header
        if header.kind != "ladder" or "float64" not in header.dtypes:
            raise ParityError(
                f"{args.teacher}: received a {header.kind} record of {', '.join(header.dtypes)}, "
                "accepted: one made by record, with float64"
            )
        dataset = from_flags.dataset_of(args, header.spec, args.teacher)
        train, _ = from_flags.splits(header.spec, dataset)
        peak = PeakMemory()
        backend = from_flags.backend_for(args, header.spec)
        with Progress(f"{backend.name} {header.spec.family}: replaying {header.backend}"):
            ladder = replaying.replay(backend, teacher, train)
        written = headers.header(
            "replay",
            backend,
            header.spec,
            steps=0,
            dtypes=("float64",),
            device=args.device,
            ladder=ladder,
            peak=peak,
            teacher=teacher.sha256,
        )
        record.write(out, written, ladder.tensors)
    print(f"{backend.name} {header.spec.family}: {out}")
    return 0
