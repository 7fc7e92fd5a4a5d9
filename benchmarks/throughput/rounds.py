"""Contestants as processes that take turns."""

from __future__ import annotations

import multiprocessing
import sys
import time
from multiprocessing.connection import Connection

from benchmarks.throughput import keras_contestants as k, ours, torch_contestants as t
from benchmarks.throughput.workloads import WORKLOADS, Workload

CONTESTANTS = {
    "ours keras2": ours.train("keras"),
    "ours keras3": ours.train("keras", "keras3"),
    "fit tf_keras": k.fit("tf_keras"),
    "fit keras3": k.fit("keras"),
    "fit50 tf_keras": k.fit("tf_keras", steps_per_execution=50),
    "fit keras3-torch": k.fit("keras", "torch"),
    "loop tf_keras": k.loop("tf_keras"),
    "loop keras3": k.loop("keras"),
    "loop tf_keras fused": k.loop("tf_keras", fused=True),
    "loop tf_keras xla": k.loop("tf_keras", jit_compile=True),
    "ours torch": ours.train("torch"),
    "dataloader": t.dataloader,
    "lightning": t.lightning,
    "loop": t.loop(),
    "loop fused": t.loop(fused=True),
    "loop cl": t.loop(channels_last=True),
    "loop cl fused": t.loop(channels_last=True, fused=True),
    "loop compiled": t.loop(compiled=True, fused=True, channels_last=True),
}


def serve(connection: Connection, name: str, workload: Workload) -> None:
    """Prepare, run one round to warm up, then one for each message."""
    try:
        epoch = CONTESTANTS[name](workload)
        epoch()
        connection.send("ready")
        while connection.recv():
            began = time.perf_counter()
            epoch()
            connection.send(time.perf_counter() - began)
    except BaseException as error:
        connection.send(f"{type(error).__name__}: {error}"[:300])


def measure(names, workload, repeats=5):
    context = multiprocessing.get_context("spawn")
    found = {}
    live = {}
    for name in names:
        mine, theirs = context.Pipe()
        process = context.Process(target=serve, args=(theirs, name, workload), daemon=True)
        process.start()
        said = mine.recv()
        if said != "ready":
            print(name, said)
            continue
        live[name] = (mine, process)
    for _ in range(repeats):
        for name, (pipe, _) in live.items():
            time.sleep(0.3)
            pipe.send(True)
            found.setdefault(name, []).append(pipe.recv())
    for pipe, process in live.values():
        pipe.send(False)
        process.join()
    return found


if __name__ == "__main__":
    import statistics

    names = sys.argv[2].split(",") if len(sys.argv) > 2 and sys.argv[2] else list(CONTESTANTS)
    for workload in WORKLOADS:
        if sys.argv[1] not in (f"{workload.name}/{workload.batch}", workload.name, "all"):
            continue
        print(workload.name, workload.batch, flush=True)
        for name, seconds in measure(
            names, workload, int(sys.argv[3]) if len(sys.argv) > 3 else 5
        ).items():
            ms = sorted(1000 * s / workload.steps for s in seconds)
            print(
                f"  {name:22} {statistics.median(ms):7.2f} ms  ({ms[0]:.2f} - {ms[-1]:.2f})",
                flush=True,
            )
