"""``train``: train a model over epochs, with the shared batches, weights and random draws."""

from __future__ import annotations

import argparse
import textwrap
import time
from pathlib import Path
from typing import Any

import numpy as np

from parity import rungs
from parity.adapters.backend import Backend, Model
from parity.adapters.state import History
from parity.cli.flags import resolve
from parity.data import batches
from parity.data.batches import Chunk
from parity.errors import ParityError
from parity.ladder import checkpoint, checkpoint_schedule, climb, fit, record
from parity.ladder.checkpoint_schedule import Checkpoints
from parity.ladder.header import create_header
from parity.progress import Progress
from parity.specs import objective, predictions
from parity.specs.run import Spec
from parity.system import destinations
from parity.system.memory import PeakMemory


def run(args: argparse.Namespace) -> int:
    """Train, print a line per epoch, and save the weights if requested."""
    out = destinations.new_path(args.out) if args.out else None
    _check_flags(args)
    resolve.refuse_foreign_options(args, [args.model])
    dataset = resolve.dataset_for(args, args.model)
    spec = resolve.spec_for(args, args.model, dataset)
    train, test = resolve.splits(spec, dataset)
    steps = fit.steps_of(spec, len(train.x))
    resumed = args.resume and checkpoint.read(Path(args.resume), spec, args.dtype)
    history = resumed[1] if resumed else History()
    if history.steps > steps:
        begun = -(-history.steps // batches.steps_per_epoch(spec.training, len(train.x)))
        raise ParityError(
            f"--epochs: received {spec.training.epochs}, accepted: at least {begun}, which "
            f"{args.resume} has begun"
        )
    peak = PeakMemory()
    backend = resolve.backend_for(args, spec)
    model = backend.create(spec, args.dtype)
    model.feed(train)
    print(
        f"{spec.family} on {dataset.name} ({dataset.size}, {len(train.x)}/{len(test.x)} examples), "
        f"{backend.name}, {args.dtype}",
        flush=True,
    )
    for note in backend.notes(spec, (args.dtype,)):
        print(textwrap.fill(f"note: {note}", 80, subsequent_indent="  "), flush=True)
    if resumed:
        model.restore(resumed[0])
        print(f"resumed after step {history.steps} of {steps}", flush=True)
    with Progress(f"{backend.name} {spec.family}", steps) as bar:
        if resumed:
            bar.advance("resumed", history.steps)
        watch = _Watch(args, spec, model, history, bar)
        computed = fit.fit(
            model, spec, train, test, history, watch, args.checkpoint_steps or fit.CHUNK_STEPS
        )
    _print_end(spec, history)
    accuracy = predictions.accuracy(predictions.labels(spec.model, computed), test.y)
    if spec.optimizer.ema_momentum:
        print(f"averaged weights: test accuracy {accuracy:.4f}")
    elif spec.callbacks.restore_best_weights:
        print(f"best epoch's weights: test accuracy {accuracy:.4f}")
    step_seconds = watch.step_seconds()
    if step_seconds:
        print(f"{1000 * step_seconds:.2f} ms per step")
    if out:
        test_loss = objective.reference_loss(spec.model, test.y, computed.astype(np.float64))
        results = {"accuracy": accuracy, "loss": test_loss, "epochs": history.epochs}
        header = _header(args, backend, spec, model, history, results, step_seconds, peak)
        tensors = {
            rungs.join(args.dtype, "parameters", name): value
            for name, value in model.weights().items()
        }
        tensors[rungs.join(args.dtype, "steps", "losses")] = np.concatenate(history.losses)
        record.write(out, header, tensors)
        print(f"weights: {out}")
    return 0


def _check_flags(args: argparse.Namespace) -> None:
    """Check that the flags of checkpoints have a file and do not exclude each other."""
    place = args.checkpoint or args.resume
    for name, given in (
        ("--checkpoint-steps", args.checkpoint_steps),
        ("--save-best-only", args.save_best_only),
    ):
        if given and not place:
            raise ParityError(f"{name}: received without a file, accepted: with --checkpoint FILE")
    if args.checkpoint_steps and args.save_best_only:
        raise ParityError(
            f"--checkpoint-steps: received {args.checkpoint_steps} with --save-best-only, which "
            "writes at the end of an epoch; accepted: one of the two"
        )
    for flag, path in (("--checkpoint", args.checkpoint), ("--csv-log", args.csv_log)):
        if path and not (args.resume and Path(path).is_file()):  # which the resumed training wrote
            destinations.new_path(path, flag)


class _Watch(fit.Watch):
    """Prints epochs, shows progress, and writes checkpoints and the CSV log."""

    def __init__(
        self, args: argparse.Namespace, spec: Spec, model: Model, history: History, bar: Progress
    ) -> None:
        self.args, self.spec, self.model, self.history, self.bar = args, spec, model, history, bar
        self.timed: list[tuple[float, int]] = []
        self.began = time.perf_counter()
        place = args.checkpoint or args.resume
        self.checkpoints = (
            Checkpoints(
                Path(place),
                args.checkpoint_steps or 0,
                best_only=args.save_best_only,
                written=history.steps,
            )
            if place
            else None
        )

    def chunk(self, chunk: Chunk) -> None:
        """Record the time of a chunk."""
        self.timed.append((time.perf_counter() - self.began, chunk.steps))
        epochs = self.spec.training.epochs
        self.bar.advance(f"epoch {chunk.epoch + 1}/{epochs}", chunk.steps)

    def epoch(self, epoch: int, logs: dict[str, float]) -> None:
        """Print and log an epoch."""
        print(
            f"epoch {epoch + 1}/{self.spec.training.epochs}  loss {logs['loss']:.6f}  "
            f"test loss {logs['val_loss']:.6f}  test accuracy {logs['val_accuracy']:.4f}",
            flush=True,
        )
        if self.args.csv_log:
            checkpoint_schedule.write_log(Path(self.args.csv_log), self.history.epochs)

    def state(self, history: History, epoch_ends: bool) -> None:
        """Write a checkpoint if one is due, and restart the timer."""
        if self.checkpoints:
            self.checkpoints.offer(self.model, self.spec, self.args.dtype, history, epoch_ends)
        self.began = time.perf_counter()

    def step_seconds(self) -> float:
        """Return the mean seconds per step without the first chunk, which includes compilation."""
        warm = self.timed[1:] or self.timed
        steps = sum(count for _, count in warm)
        return sum(seconds for seconds, _ in warm) / steps if steps else 0.0


def _print_end(spec: Spec, history: History) -> None:
    """Print why training ended before the last epoch."""
    epochs = len(history.epochs)
    if history.stopped and epochs < spec.training.epochs:
        patience = spec.callbacks.early_stopping
        print(
            f"stopped after epoch {epochs}: {spec.callbacks.monitor} not better for {patience} "
            f"epoch{'s' if patience > 1 else ''}"
        )


def _header(
    args: argparse.Namespace,
    backend: Backend,
    spec: Spec,
    model: Model,
    history: History,
    results: dict[str, Any],
    step_seconds: float,
    peak: PeakMemory,
) -> record.Header:
    ladder = climb.Ladder(
        trainable=tuple(sorted(model.trainable())),
        counts=model.counts(),
        results={args.dtype: results},
        timings={"step": step_seconds},
    )
    return create_header(
        "training",
        backend,
        spec,
        steps=history.steps,
        dtypes=(args.dtype,),
        device=args.device,
        ladder=ladder,
        peak=peak,
    )
