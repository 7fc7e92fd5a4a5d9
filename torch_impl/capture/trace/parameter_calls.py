"""Functions that take parameters of the model, or complete the call before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from parity.adapters.nesting import flat
from parity.reference.layers import dense, merging
from torch_impl.capture.read import functions, modules, weights
from torch_impl.capture.trace.replay import Invocation
from torch_impl.capture.trace.trace import UNREAD, Followed, FunctionCall, Trace
from torch_impl.ladder.network import to_numpy
from torch_impl.ladder.weights import same
from torch_impl.private_api import storage_of


def _parameter(trace: Trace, tensor: Tensor) -> bool:
    return tensor.numel() > 0 and storage_of(tensor) in trace.owned


def _of_parameter(trace: Trace, tensor: Tensor) -> tuple[str, Tensor]:
    name, owner = trace.owned[storage_of(tensor)]
    return name, owner


def weighted_function(trace: Trace, call: FunctionCall) -> Any:
    """Interpreter of functions that take parameters of the model and other tensors."""
    own = [one for one in call.tensors if _parameter(trace, one)]
    if own and len(own) < len(call.tensors):
        return _with_parameters(trace, call.function, call.args, call.kwargs, own)
    return UNREAD


def _with_parameters(
    trace: Trace, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], own: Sequence[Tensor]
) -> Any:
    """A function that takes parameters: as the module that does the same, or of no kind."""
    with trace.unwatched():
        merged = _biased(trace, func, args)
        if merged is not None:
            return merged
        found = modules.module_of(func, args, kwargs)
    owner = _of_parameter(trace, own[0])[0]
    if found is not None and any(found[1] is one for one in flat(args)):
        module, x = found
        spatial = modules.spatial(module)
        place = next(n for n, one in enumerate(args) if one is x)
        along = modules.along_last(module)
        before = trace.taken(args, (place,), spatial, along=along)
        with trace.unwatched():
            out = func(*args, **kwargs)
        places = weights.of_module(module, before.layouts)
        config = modules.config_of(module, tuple(x.shape))
        made = Invocation(func, args, kwargs, (place,), weights=places, like=module)
        name = owner.rsplit(".", 1)[0] if owner.endswith((".weight", ".bias")) else owner
        if any(one.name == name and type(one.config) is not type(config) for one in trace.calls):
            name = f"{name}.{func.__name__}"  # a tied weight, of another layer's as well
        return trace.note(name, func.__name__, config, made, before, out, spatial)
    values = flat(args)
    places_ = tuple(
        n for n, one in enumerate(values) if isinstance(one, Tensor) and not _parameter(trace, one)
    )
    before = trace.taken(values, places_, False)
    with trace.unwatched():
        out = func(*args, **kwargs)
    if not places_ or not isinstance(out, Tensor):
        return out
    named = dict(_of_parameter(trace, one) for one in own)
    holder = nn.Module()
    for name, one in named.items():
        setattr(holder, name.rsplit(".", 1)[-1], one)
    held = weights.of_module(holder, before.layouts)
    made = Invocation(func, args, kwargs, places_, weights=held, like=holder)
    return trace.note(owner, func.__name__, None, made, before, out, False)


def _biased(trace: Trace, func: Any, args: tuple[Any, ...]) -> Any:
    """A bias added to a product just made is that layer's."""
    if functions.name_of(func) not in ("add", "add_") or not trace.calls or len(args) != 2:
        return None
    product, bias = (
        args if isinstance(args[0], Tensor) and not _parameter(trace, args[0]) else args[::-1]
    )
    last, made = trace.calls[-1], trace.made[-1]
    found = trace.followed.get(id(product))
    plain = isinstance(last.config, dense.Dense) and not last.config.use_bias
    if not (plain and made.like is not None and isinstance(bias, Tensor)):
        return None
    if found is None or found.source != last.number or product is not made.result:
        return None
    if bias.shape != product.shape[-1:]:
        return None
    out = func(*args)
    trace.followed[id(out)] = replace(found, tensor=out)
    made.weights["bias"] = same(bias)
    made.like.bias = bias
    made.after = lambda value: value + bias
    made.result = out
    last.config = replace(last.config, use_bias=True)
    last.output = to_numpy(made.output.to_canonical(made.after(made.own)))
    return trace.substitute(last.number, out, made.output)


def mean_of_sum(trace: Trace, call: FunctionCall) -> Any:
    """Interpreter of a sum just made that is divided by a whole number: a mean."""
    if call.name not in ("div", "mul") or not trace.calls or len(call.args) != 2:
        return UNREAD
    last, made, by = trace.calls[-1], trace.made[-1], call.args[1]
    if not isinstance(last.config, merging.Add) or call.args[0] is not made.result:
        return UNREAD
    if not isinstance(by, (int, float)) or by == 0:
        return UNREAD
    divisor = by if call.name == "div" else 1.0 / by
    count = round(divisor)
    if count < 2 or divisor != count:
        return UNREAD
    with trace.unwatched():
        out = call.run()
    last.config = merging.Average(of=count)
    last.kind = "mean"
    made.after = lambda value: value / count
    made.result = out
    last.output = to_numpy(made.output.to_canonical(made.after(made.own)))
    trace.followed[id(out)] = Followed(out, made.output, last.number)
    return trace.substitute(last.number, out, made.output)
