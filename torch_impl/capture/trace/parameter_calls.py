"""Functions that take parameters of the model, or complete the call before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from parity.reference.layers import dense, merging
from torch_impl.capture.read import functions, modules, weights
from torch_impl.capture.trace.nesting import flat
from torch_impl.capture.trace.recurrent_calls import RecurrentTrace
from torch_impl.capture.trace.replay import Made
from torch_impl.capture.trace.trace import Followed
from torch_impl.ladder.network import to_numpy
from torch_impl.ladder.weights import same


class ParameterTrace(RecurrentTrace):
    """Calls of functions as those of the modules that would do the same."""

    def _parameter(self, tensor: Tensor) -> bool:
        return tensor.numel() > 0 and tensor.untyped_storage().data_ptr() in self.owned

    def _of_parameter(self, tensor: Tensor) -> tuple[str, Tensor]:
        name, owner = self.owned[tensor.untyped_storage().data_ptr()]
        return name, owner

    def _with_parameters(
        self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], own: Sequence[Tensor]
    ) -> Any:
        """A function that takes parameters: as the module that does the same, or of no kind."""
        with self._alone():
            merged = self._biased(func, args)
            if merged is not None:
                return merged
            found = modules.module_of(func, args, kwargs)
        owner = self._of_parameter(own[0])[0]
        if found is not None and any(found[1] is one for one in flat(args)):
            module, x = found
            spatial = modules.spatial(module)
            place = next(n for n, one in enumerate(args) if one is x)
            along = modules.along_last(module)
            before = self._taken(args, (place,), spatial, along=along)
            with self._alone():
                out = func(*args, **kwargs)
            places = weights.of_module(module, before.layouts)
            config = modules.config_of(module, tuple(x.shape))
            made = Made(func, args, kwargs, (place,), weights=places, like=module)
            name = owner.rsplit(".", 1)[0] if owner.endswith((".weight", ".bias")) else owner
            return self._note(name, func.__name__, config, made, before, out, spatial)
        values = flat(args)
        places_ = tuple(
            n
            for n, one in enumerate(values)
            if isinstance(one, Tensor) and not self._parameter(one)
        )
        before = self._taken(values, places_, False)
        with self._alone():
            out = func(*args, **kwargs)
        if not places_ or not isinstance(out, Tensor):
            return out
        named = dict(self._of_parameter(one) for one in own)
        holder = nn.Module()
        for name, one in named.items():
            setattr(holder, name.rsplit(".", 1)[-1], one)
        held = weights.of_module(holder, before.layouts)
        made = Made(func, args, kwargs, places_, weights=held, like=holder)
        return self._note(owner, func.__name__, None, made, before, out, False)

    def _biased(self, func: Any, args: tuple[Any, ...]) -> Any:
        """A bias added to a product just made is that layer's."""
        if functions.name_of(func) not in ("add", "add_") or not self.calls or len(args) != 2:
            return None
        product, bias = (
            args if isinstance(args[0], Tensor) and not self._parameter(args[0]) else args[::-1]
        )
        last, made = self.calls[-1], self.made[-1]
        found = self.followed.get(id(product))
        plain = isinstance(last.config, dense.Dense) and not last.config.use_bias
        if not (plain and made.like is not None and isinstance(bias, Tensor)):
            return None
        if found is None or found.source != last.number or product is not made.result:
            return None
        if bias.shape != product.shape[-1:]:
            return None
        out = func(*args)
        self.followed[id(out)] = replace(found, tensor=out)
        made.weights["bias"] = same(bias)
        made.like.bias = bias
        made.after = lambda value: value + bias
        made.result = out
        last.config = replace(last.config, use_bias=True)
        last.output = to_numpy(made.output.to_canonical(made.after(made.own)))
        return self._instead(last.number, out, made.output)

    def _averaged(self, func: Any, args: tuple[Any, ...], out: Any) -> Any:
        """A sum just made, divided by a whole number, is a mean."""
        name = functions.name_of(func)
        if name not in ("div", "mul") or not self.calls or len(args) != 2:
            return None
        last, made, by = self.calls[-1], self.made[-1], args[1]
        if not isinstance(last.config, merging.Add) or args[0] is not made.result:
            return None
        if not isinstance(out, Tensor) or not isinstance(by, (int, float)) or by == 0:
            return None
        count = round(by if name == "div" else 1.0 / by)
        if count < 2 or (by if name == "div" else 1.0 / by) != count:
            return None
        last.config = merging.Average(of=count)
        last.kind = "mean"
        made.after = lambda value: value / count
        made.result = out
        last.output = to_numpy(made.output.to_canonical(made.after(made.own)))
        self.followed[id(out)] = Followed(out, made.output, last.number)
        return self._instead(last.number, out, made.output)
