"""Which outputs of two models belong together, where one has others or more of them."""

from __future__ import annotations

import math
from typing import Any

from parity.adapters.calls import Run


def common(keras: Run, torch: Run) -> list[tuple[str, str]]:
    """Names of the outputs that both have, in Keras's order: by name, else by size and place."""
    first = {name: one.shape for name, one in keras.outputs.items()}
    second = {name: one.shape for name, one in torch.outputs.items()}
    if len(first) == len(second) and {*map(_key, first)} != {*map(_key, second)}:
        return list(zip(first, second, strict=True))
    found: dict[str, str] = {}
    for same in (_same_name, _same_size, _any):
        for name, shape in first.items():
            free = [one for one in second if one not in found.values()]
            if name in found or (same is not _same_name and len(found) == len(second)):
                continue
            match = next((one for one in free if same(name, shape, one, second[one])), None)
            if match is not None:
                found[name] = match
    return [(name, found[name]) for name in first if name in found]


def left_out(keras: Run, torch: Run, names: list[tuple[str, str]]) -> list[str]:
    """A note on the outputs of either model that the other lacks."""
    notes = []
    for side, run, place in (("Keras", keras, 0), ("PyTorch", torch, 1)):
        kept = {pair[place] for pair in names}
        others = [
            f"{name} {value.shape}" for name, value in run.outputs.items() if name not in kept
        ]
        if others:
            notes.append(f"Not compared, because only {side} has it: {', '.join(others)}")
    return notes


def _key(name: str) -> str:
    return name.rpartition("/")[2].lower()


def _same_name(keras: str, _: Any, torch: str, __: Any) -> bool:
    key = _key(keras)
    return key == _key(torch) and not key.isdigit() and key != "output"


def _same_size(_: Any, keras: tuple[int, ...], __: Any, torch: tuple[int, ...]) -> bool:
    return math.prod(keras) == math.prod(torch)


def _any(*_: Any) -> bool:
    return True
