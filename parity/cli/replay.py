"""``replay``: run each layer separately, with the inputs of another record's layer."""

from __future__ import annotations

import argparse
from pathlib import Path

from parity.cli.flags import resolve
from parity.errors import ParityError
from parity.ladder import record, replay
from parity.ladder.header import create_header
from parity.progress import Progress
from parity.system import destinations
from parity.system.memory import PeakMemory


def run(args: argparse.Namespace) -> int:
    """Write a record for ``compare --replay``."""
    out = destinations.new_path(args.out)
    with record.read(Path(args.teacher)) as teacher:
        header = teacher.header
        if header.kind != "ladder" or "float64" not in header.dtypes:
            raise ParityError(
                f"{args.teacher}: received a {header.kind} record of {', '.join(header.dtypes)}, "
                "accepted: one made by record, with float64"
            )
        dataset = resolve.dataset_of(args, header.spec, args.teacher)
        train, _ = resolve.splits(header.spec, dataset)
        peak = PeakMemory()
        backend = resolve.backend_for(args, header.spec)
        with Progress(f"{backend.name} {header.spec.family}: replaying {header.backend}"):
            ladder = replay.replay(backend, teacher, train)
        written = create_header(
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
