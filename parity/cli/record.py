"""``record``: climb the ladder with one backend."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from parity.adapters.backend import Backend
from parity.cli.flags import resolve
from parity.cli.flags.spec import flag_of
from parity.cli.request import Request
from parity.errors import ParityError
from parity.ladder import climb, fit, record
from parity.ladder.header import create_header
from parity.progress import Progress
from parity.specs import callbacks
from parity.system import destinations, processes
from parity.system.memory import PeakMemory


def run(args: argparse.Namespace) -> int:
    """Write a record per model; with several models, each in a folder with its name."""
    out = destinations.new_path(args.out)
    families = list(dict.fromkeys(args.model))
    dtypes = tuple(sorted(set(args.dtype), reverse=True))  # float64 first
    if args.seeds > 1 and "float32" not in dtypes:
        raise ParityError(f"--seeds: received {args.seeds} without float32, accepted: 1, or both")
    ensemble = vars(args).get("ensemble", True)  # false for a member of another one
    epochs = vars(args).get("epochs", 0)
    if epochs and "float64" not in dtypes and ensemble:
        raise ParityError(
            f"--epochs: received {epochs} without float64, accepted: with float64, "
            "in which whole trainings are compared"
        )
    whole = bool(epochs) and "float64" in dtypes
    resolve.refuse_foreign_options(args, families)
    planned = []
    for family in families:  # all input is checked before the first run
        dataset = resolve.dataset_for(args, family)
        spec = resolve.spec_for(args, family, dataset)
        if not epochs and (changed := callbacks.changed_fields(spec.callbacks)):
            raise ParityError(
                f"{flag_of(changed[0])}: does not apply to a ladder, which has no "
                "epochs; accepted: with --epochs"
            )
        if whole:
            fit.steps_of(spec, len(dataset.train.x))
        planned.append((spec, dataset))
    backend = resolve.backend_for(args, spec)
    runs = climb.climbs(backend, dtypes, args.steps, args.seeds) + whole * epochs
    with (
        _ensemble_process(args, backend, ensemble and "float32" in dtypes) as second,
        Progress(backend.name, runs * len(planned)) as progress,
    ):
        for spec, dataset in planned:
            train, test = resolve.splits(spec, dataset)
            peak = PeakMemory()

            def advance(what: str, family: str = spec.family) -> None:
                progress.advance(f"{family} {what}")
                if second:
                    second.check()

            ladder = climb.climb(
                backend,
                spec,
                train,
                test,
                dtypes,
                args.steps,
                seeds=args.seeds,
                ensemble=ensemble,
                whole=whole,
                advance=advance,
            )
            place = Path(spec.family) if len(families) > 1 else Path()
            if second:
                second.widen(ladder, place)
            header = create_header(
                "ladder",
                backend,
                spec,
                steps=args.steps,
                seeds=args.seeds,
                epochs=epochs if whole else 0,
                dtypes=dtypes,
                device=args.device,
                ladder=ladder,
                peak=peak,
            )
            record.write(out / place, header, ladder.tensors)
            print(f"{backend.name} {spec.family}: {out / place}", flush=True)
    return 0


class _EnsembleProcess:
    """A process that runs the ladder in float32 with another number of threads."""

    def __init__(self, child: processes.Child, out: Path) -> None:
        self.child, self.out = child, out

    def check(self) -> None:
        """Raise if the process has failed."""
        if self.child.failed:
            raise ParityError(f"the ensemble's second process: {self.child.failure_reason()}")

    def widen(self, ladder: climb.Ladder, place: Path) -> None:
        """Wait for its record and add it to the ensemble."""
        try:
            self.child.wait(self.out / place / record.HEADER)
        except ParityError as error:
            raise ParityError(f"the ensemble's second process: {error}") from None
        with record.read(self.out / place) as other:
            climb.widen(ladder, other)


@contextmanager
def _ensemble_process(
    args: argparse.Namespace, own: Backend, wanted: bool
) -> Iterator[_EnsembleProcess | None]:
    """Start the ensemble member that needs another process, if the backend has one."""
    wanted = wanted and args.device == "cpu"  # a second process would need the same GPU's memory
    count = own.threads_elsewhere() if wanted else 0
    if not count:
        yield None
        return
    request = Request.record(
        own.name, args, dtype=["float32"], threads=count, seeds=1, ensemble=False
    )
    with tempfile.TemporaryDirectory(prefix="parity-") as folder:
        out = Path(folder) / "record"
        child = request.start(out)
        child.lower_priority()  # the ladder takes longest
        try:
            yield _EnsembleProcess(child, out)
        finally:
            # before this process's own parent kills it
            processes.terminate([child], processes.GRACE / 2)
