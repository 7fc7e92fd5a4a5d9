"""``record``: climb the ladder with one backend."""

from __future__ import annotations

import argparse

from parity import from_flags, outputs, record, recording
from parity.memory import PeakMemory
from parity.progress import Progress


def run(args: argparse.Namespace) -> int:
    """Write a record per model; with several, each in a folder of its name."""
    out = outputs.new_path(args.out)
    families = list(dict.fromkeys(args.model))
    dtypes = tuple(sorted(set(args.dtype), reverse=True))  # float64 first
    from_flags.refuse_foreign_options(args, families)
    planned = []
    for family in families:  # everything that can be refused is refused before the first climb
        dataset = from_flags.dataset_for(args, family)
        spec = from_flags.spec_for(args, family, dataset)
        planned.append((out / family if len(families) > 1 else out, spec, dataset))
    backend = from_flags.backend_for(args, spec)
    climbs = recording.climbs(backend, dtypes)
    with Progress(backend.name, climbs * len(planned)) as progress:
        for path, spec, dataset in planned:
            train, test = from_flags.splits(spec, dataset)
            peak = PeakMemory()

            def advance(what: str, family: str = spec.family) -> None:
                progress.advance(f"{family} {what}")

            ladder = recording.climb(backend, spec, train, test, dtypes, args.steps, advance)
            header = recording.header(
                "ladder",
                backend,
                spec,
                steps=args.steps,
                dtypes=dtypes,
                device=args.device,
                ladder=ladder,
                peak=peak,
            )
            record.write(path, header, ladder.tensors)
            print(f"{backend.name} {spec.family}: {path}", flush=True)
    return 0
