"""Replay of a PyTorch model's calls with other inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from parity.adapters.nesting import flat
from torch_impl.capture.read.layout import Layout
from torch_impl.capture.trace.nesting import packed
from torch_impl.ladder.network import to_numpy
from torch_impl.ladder.weights import Place


@dataclass
class Invocation:
    """What is needed to replay a call.

    Attributes:
        target: the module or function.
        args: what it was given.
        kwargs: likewise.
        places: of the inputs among the flattened arguments.
        layouts: of the inputs.
        output: layout of the output.
        weights: canonical name to place.
        replay: canonical input to canonical output, where a call of the target does not do.
        like: the module that computes what a function of parameters does.
        after: what was done to the output and counts as the layer's.
        result: what the call handed on.
        own: what it gave itself.
    """

    target: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    places: tuple[int, ...]
    layouts: tuple[Layout, ...] = ()
    output: Layout = field(default_factory=lambda: Layout.plain(()))
    weights: dict[str, Place] = field(default_factory=dict)
    replay: Callable[[Tensor], Tensor] | None = None
    like: Any = None
    after: Callable[[Tensor], Tensor] | None = None
    result: Any = None
    own: Any = None


def replay(made: Invocation, inputs: Sequence[np.ndarray]) -> np.ndarray:
    """What a call gives for other inputs (canonical, as the result)."""
    values = flat(made.args)
    with torch.no_grad():
        if made.replay is not None:
            like = next(one for one in values if isinstance(one, Tensor))
            return to_numpy(made.replay(torch.tensor(inputs[0], dtype=like.dtype)))
        olds = [values[place] for place in made.places]
        for old, layout, value in zip(olds, made.layouts, inputs, strict=True):
            given = torch.tensor(value, device=old.device, dtype=old.dtype)
            new = layout.from_canonical(given).contiguous()
            values = [new if one is old else one for one in values]
        out = made.target(*packed(made.args, iter(values)), **made.kwargs)
        first = next(one for one in flat((out,)) if isinstance(one, Tensor))
        first = first if made.after is None else made.after(first)
    return to_numpy(made.output.to_canonical(first))
