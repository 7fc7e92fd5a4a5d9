"""``train``: a normal training run with the shared batches, weights and masks."""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

from parity import batches, from_flags, headers, losses, metrics, outputs, record, recording, rungs
from parity.errors import ParityError
from parity.memory import PeakMemory
from parity.progress import Progress

CHUNK_STEPS = 100
"""Steps between two looks at the clock; a chunk's masks are drawn while the last one runs."""

MOST_STEPS = 10**7
"""Steps that a training may take: the loss of each is kept, 80 MB of them in float64."""


def run(args: argparse.Namespace) -> int:
    """Train, print a line per epoch, keep the weights where asked."""
    out = outputs.new_path(args.out) if args.out else None
    from_flags.refuse_foreign_options(args, [args.model])
    dataset = from_flags.dataset_for(args, args.model)
    spec = from_flags.spec_for(args, args.model, dataset)
    train, test = from_flags.splits(spec, dataset)
    per_epoch = batches.steps_per_epoch(spec, len(train.x))
    steps = per_epoch * spec.training.epochs
    if steps > MOST_STEPS:
        raise ParityError(
            f"--epochs: received {spec.training.epochs}, accepted: at most "
            f"{MOST_STEPS // per_epoch} of {per_epoch} steps"
        )
    peak = PeakMemory()
    backend = from_flags.backend_for(args, spec)
    model = backend.create(spec, args.dtype)
    model.feed(train)

    print(
        f"{spec.family} on {dataset.name} ({dataset.size}, {len(train.x)}/{len(test.x)} examples), "
        f"{backend.name}, {args.dtype}",
        flush=True,
    )
    every_loss: list[np.ndarray] = []
    epochs: list[dict[str, Any]] = []
    timed: list[tuple[float, int]] = []
    weighted, done = 0.0, 0
    with Progress(f"{backend.name} {spec.family}", steps) as progress:
        for chunk in batches.chunks(spec, len(train.x), steps, CHUNK_STEPS):
            began = time.perf_counter()
            found = model.train(chunk)
            timed.append((time.perf_counter() - began, chunk.steps))
            every_loss.append(found)
            weighted += float(found.sum(dtype=np.float64)) * chunk.order.shape[1]
            done += chunk.steps
            progress.advance(f"epoch {chunk.epoch + 1}/{spec.training.epochs}", chunk.steps)
            if done % per_epoch == 0:
                computed = model.outputs(test)
                accuracy = metrics.accuracy(metrics.labels(spec.model, computed), test.y)
                epochs.append({"loss": weighted / len(train.x), "test_accuracy": accuracy})
                print(
                    f"epoch {chunk.epoch + 1}/{spec.training.epochs}  "
                    f"loss {weighted / len(train.x):.6f}  test accuracy {accuracy:.4f}",
                    flush=True,
                )
                weighted = 0.0
    if spec.optimizer.ema_momentum:
        model.finish()
        computed = model.outputs(test)
        accuracy = metrics.accuracy(metrics.labels(spec.model, computed), test.y)
        print(f"averaged weights: test accuracy {accuracy:.4f}")
    step_seconds = _step_seconds(timed)
    print(f"{1000 * step_seconds:.2f} ms per step")
    if out:
        test_loss = losses.reference_loss(spec.model, test.y, computed.astype(np.float64))
        kept = recording.Ladder(
            tensors={
                rungs.join(args.dtype, "parameters", name): value
                for name, value in model.weights().items()
            },
            trainable=tuple(sorted(model.trainable())),
            counts=model.counts(),
            results={args.dtype: {"accuracy": accuracy, "loss": test_loss, "epochs": epochs}},
            timings={"step": step_seconds},
        )
        kept.tensors[rungs.join(args.dtype, "steps", "losses")] = np.concatenate(every_loss)
        written = headers.header(
            "training",
            backend,
            spec,
            steps=steps,
            dtypes=(args.dtype,),
            device=args.device,
            ladder=kept,
            peak=peak,
        )
        record.write(out, written, kept.tensors)
        print(f"weights: {out}")
    return 0


def _step_seconds(timed: list[tuple[float, int]]) -> float:
    """Mean seconds per step, without the first chunk, whose time goes into compiling."""
    warm = timed[1:] or timed
    return sum(seconds for seconds, _ in warm) / sum(steps for _, steps in warm)
