"""Recurrent modules among the calls of a PyTorch model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from parity.adapters.nesting import flat
from torch_impl.capture.read import functions, modules, recurrent, weights
from torch_impl.capture.read.layout import Layout
from torch_impl.capture.trace.replay import Invocation
from torch_impl.capture.trace.trace import UNREAD, Followed, FunctionCall, Taken, Trace
from torch_impl.ladder.network import to_numpy
from torch_impl.private_api import PADDED


def recurrent_module(
    trace: Trace, module: Any, name: str, forward: Any, given: Any, hx: Any = None
) -> tuple[Any, Any]:
    """One call for each of the layers that the module is made of."""
    if module.num_layers == 1:
        return _layer(trace, module, name, forward, given, hx)
    if module not in trace.stacked:
        with trace.unwatched():
            trace.stacked[module] = recurrent.layers(module)
    states, runs = [], 1 + module.bidirectional
    for number, layer in enumerate(trace.stacked[module]):
        rows = slice(number * runs, (number + 1) * runs)
        with trace.unwatched():
            own = (
                hx
                if hx is None
                else tuple(one[rows] for one in hx)
                if isinstance(hx, tuple)
                else hx[rows]
            )
        given, state = _layer(trace, layer, f"{name}.{number}", layer.forward, given, own)
        states.append(state)
        if module.dropout and number < module.num_layers - 1 and isinstance(given, Tensor):
            given = F.dropout(given, module.dropout, module.training)
        if number < module.num_layers - 1:
            trace.use(flat([given]))
    with trace.unwatched():
        if isinstance(module, nn.LSTM):
            h, c = (torch.cat(parts) for parts in zip(*states, strict=True))
            _of_call(trace, h, len(trace.calls) - 1, "states")
            _of_call(trace, c, len(trace.calls) - 1, "cells")
            return given, (h, c)
        h = torch.cat(states)
        _of_call(trace, h, len(trace.calls) - 1, "states")
    return given, h


def _layer(trace: Trace, module: Any, name: str, forward: Any, given: Any, hx: Any) -> Any:
    number = len(trace.calls)
    source = given.data if isinstance(given, nn.utils.rnn.PackedSequence) else given
    with trace.unwatched():
        total = trace.steps.get(id(source))
        sequences = recurrent.Sequences.of(given, module.batch_first, total)
        array = to_numpy(sequences.x)
        out, own = recurrent.run(module, given, hx, forward, total)
        trace.gave[number] = own
        if number in trace.substitutes:
            value = torch.tensor(trace.substitutes[number], dtype=own.steps.dtype)
            out, own = recurrent.replaced(module, sequences, out, own, value)
    found = trace.followed.get(id(source))
    layout = Layout.plain(sequences.x.shape)
    before = Taken((array,), (layout,), (found.source if found else None,))
    trace.recurrent[number] = own
    steps = out[0].data if isinstance(out[0], nn.utils.rnn.PackedSequence) else out[0]
    parts = out[1] if isinstance(out[1], tuple) else (out[1],)
    for tensor, what in zip((steps, *parts), ("steps", "states", "cells"), strict=False):
        _of_call(trace, tensor, number, what)
    if not module.batch_first and steps is out[0]:
        transposed = Layout((1, 0, 2), tuple(steps.shape), (1, 1, 1))
        trace.followed[id(steps)] = Followed(steps, transposed, number, "steps")

    def replay(x: Tensor) -> Tensor:
        with torch.no_grad():
            _, again = recurrent.run(
                module, sequences.as_given(x, module.batch_first), hx, forward, total
            )
        return again.output(own.chosen)

    with trace.unwatched():
        config = None if hx is not None and _nonzero(hx) else modules.config_of(module)
        places = weights.of_module(module, (layout,))
        output = to_numpy(own.steps)
    trace.made.append(
        Invocation(module, (given,), {}, (0,), (layout,), Layout.plain(()), places, replay)
    )
    trace.write(name, type(module).__name__, config, before, output, sequences.options)
    return out


def _of_call(trace: Trace, tensor: Tensor, number: int, what: str) -> None:
    layout = Layout.plain(tensor.shape) if what == "steps" else None
    trace.followed[id(tensor)] = Followed(tensor, layout, number, what)


def rearranged_output(trace: Trace, call: FunctionCall) -> Any:
    """Interpreter of functions that rearrange the entries of a recurrent call's outputs."""
    rearranges = call.name in functions.MOVES and _of_one(trace, call.tensors)
    if not rearranges and call.name not in functions.LOOKS:
        trace.use(call.tensors)
    if rearranges and _output(trace, call.tensors[0]):
        return _moved(trace, call.function, call.args, call.kwargs, call.tensors)
    return UNREAD


def _moved(
    trace: Trace,
    func: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    tensors: Sequence[Tensor],
) -> Any:
    """Entries of a recurrent call's outputs moved about: which of its outputs that is."""
    with trace.unwatched():
        out = func(*args, **kwargs)
    source = next(trace.followed[id(one)] for one in tensors if _output(trace, one))
    outputs = trace.recurrent[source.source]  # type: ignore[index]
    for one in flat((out,)):
        if not isinstance(one, Tensor) or not one.is_floating_point():
            continue  # lengths, or places among packed steps
        with trace.unwatched():
            what = outputs.what(one, source.output == "steps")
        if source.output == "cells" or (source.output, what) == ("states", "steps"):
            what = source.output
        layout = source.layout and functions.moved(func, source.layout, args, kwargs, one)
        if what != "steps" or (
            one.shape == outputs.steps.shape and functions.name_of(func) == PADDED
        ):
            layout = Layout.plain(one.shape)
        trace.followed[id(one)] = Followed(one, layout, source.source, what)
    return out


def _of_one(trace: Trace, tensors: Sequence[Tensor]) -> bool:
    """Whether all, but for places to look at, come from one recurrent call."""
    with trace.unwatched():
        floats = [one for one in tensors if one.is_floating_point()]
    known = [trace.followed.get(id(one)) for one in floats]
    return bool(known) and len({one.source if one else None for one in known}) == 1


def _output(trace: Trace, tensor: Tensor) -> str:
    found = trace.followed.get(id(tensor))
    return found.output if found else ""


def _nonzero(states: Any) -> bool:
    return any(bool((one != 0).any()) for one in flat((states,)))
