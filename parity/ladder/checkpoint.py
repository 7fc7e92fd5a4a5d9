"""Checkpoints, from which either implementation can resume a training: one safetensors file.

The file is replaced atomically, so that an interrupted run leaves the previous checkpoint; reading
verifies its checksum.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from parity.adapters.state import History, State
from parity.errors import ParityError
from parity.specs.run import Spec, differences, spec_from_json
from parity.system import strict_json
from parity.system.atomic import write_atomically

FORMAT = "keras-torch-parity checkpoint"
VERSION = 1

ACCUMULATED = "accumulated_gradient"
"""The slot with the sum of gradients over several batches, in addition to the formula's slots."""

_METADATA = ("format", "version", "spec", "dtype", "progress", "sha256")


def write(path: Path, spec: Spec, dtype: str, state: State, history: History) -> None:
    """Write a checkpoint, replacing the file at ``path`` atomically.

    Raises:
        ParityError: the file cannot be written.
    """
    from safetensors.numpy import save

    tensors = {
        **{f"weights/{name}": value for name, value in state.weights.items()},
        **{f"slots/{name}": value for name, value in state.slots.items()},
        **{f"best_weights/{name}": value for name, value in state.best_weights.items()},
        "losses": np.concatenate(history.losses),
    }
    tensors = {name: np.asarray(value, order="C") for name, value in tensors.items()}
    done = {
        "numbers": state.numbers,
        "epochs": history.epochs,
        "stopped": history.stopped,
    }
    texts = {
        "format": FORMAT,
        "version": str(VERSION),
        "spec": json.dumps(spec.to_json()),
        "dtype": dtype,
        "progress": json.dumps(strict_json.encode_non_finite(done), allow_nan=False),
    }
    content = save(tensors, {**texts, "sha256": digest(tensors, texts)})
    try:
        write_atomically(path, content)
    except ParityError as error:
        raise ParityError(f"--checkpoint: {error}") from None


def read(path: Path, spec: Spec, dtype: str) -> tuple[State, History]:
    """Read the checkpoint of a training with this spec and dtype.

    Only the number of epochs may differ.

    Raises:
        ParityError: the file is not a checkpoint, is damaged or incomplete, or belongs to another
            training.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise ParityError(f"--resume: {path} is not a file; accepted: one written by --checkpoint")
    try:
        with safe_open(path, framework="numpy") as opened:
            texts = opened.metadata() or {}
            names = opened.offset_keys()
            tensors = {name: opened.get_tensor(name) for name in names}
    except (SafetensorError, OSError) as error:
        raise ParityError(f"--resume: {path}: not a checkpoint, or damaged: {error}") from None
    if texts.get("format") != FORMAT or set(texts) != set(_METADATA):
        raise ParityError(
            f"--resume: {path}: not a checkpoint; accepted: a file written by --checkpoint"
        )
    if texts["version"] != str(VERSION):
        raise ParityError(
            f"--resume: {path}: version: received {texts['version']!r}, accepted: {VERSION}"
        )
    if texts.pop("sha256") != digest(tensors, texts):
        raise ParityError(f"--resume: {path}: damaged checkpoint: its checksum differs")
    _require_same_training(path, texts, spec, dtype)
    done = strict_json.decode_non_finite(strict_json.loads(texts["progress"]))
    _check_tensors(path, tensors, spec, dtype)
    state = State(
        _with_prefix("weights/", tensors),
        _with_prefix("slots/", tensors),
        _with_prefix("best_weights/", tensors),
        done["numbers"],
    )
    return state, History([tensors["losses"]], done["epochs"], done["stopped"])


def _with_prefix(prefix: str, tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }


def _require_same_training(path: Path, texts: Mapping[str, str], spec: Spec, dtype: str) -> None:
    made_for = spec_from_json(strict_json.loads(texts["spec"]), f"{path}: spec")
    unequal = [
        f"{name} ({there!r} in the file, {here!r} requested)"
        for name, there, here in (
            *differences(made_for, spec),
            *([] if texts["dtype"] == dtype else [("dtype", texts["dtype"], dtype)]),
        )
        if name != "training.epochs"
    ]
    if unequal:
        raise ParityError(
            f"--resume: {path} belongs to another training: {', '.join(unequal)}; accepted: the "
            "flags that it was written with"
        )


def _check_tensors(path: Path, tensors: Mapping[str, np.ndarray], spec: Spec, dtype: str) -> None:
    """Check that all tensors are present, none is extra, and shapes and dtypes are the spec's."""
    table = spec.model.parameters()
    slots = spec.optimizer.slots
    if spec.optimizer.gradient_accumulation_steps > 1:
        slots = (*slots, ACCUMULATED)
    wanted = {f"weights/{row.name}": row.shape for row in table}
    wanted |= {
        f"slots/{slot}/{row.name}": row.shape for slot in slots for row in table if row.trainable
    }
    if any(name.startswith("best_weights/") for name in tensors):
        wanted |= {f"best_weights/{row.name}": row.shape for row in table}
    found = {name: value.shape for name, value in tensors.items() if name != "losses"}
    for name in sorted(wanted.keys() | found.keys()):
        if found.get(name) != wanted.get(name):
            raise ParityError(
                f"--resume: {path}: {name}: received {found.get(name, 'nothing')}, accepted: "
                f"{wanted.get(name, 'nothing')}"
            )
    for name, value in tensors.items():
        if value.dtype != dtype:
            raise ParityError(
                f"--resume: {path}: {name}: received {value.dtype}, accepted: {dtype}"
            )


def digest(tensors: Mapping[str, np.ndarray], texts: Mapping[str, str]) -> str:
    """Return the SHA-256 of a file's tensors and texts, in hexadecimal."""
    digest = hashlib.sha256()
    for name in sorted(texts):
        digest.update(f"{name}={texts[name]}\n".encode())
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(f"{name} {value.dtype} {value.shape}\n".encode())
        digest.update(np.ascontiguousarray(value).data)
    return digest.hexdigest()
