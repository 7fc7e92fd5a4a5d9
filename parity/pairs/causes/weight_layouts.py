"""Weights that were carried over by hand: the usual mistakes, each told by what undoes it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from parity.adapters.calls import Call

RECURRENT = {"SimpleRNN": ("simple_rnn", 1), "GRU": ("gru", 3), "LSTM": ("lstm", 4)}
"""Class to its name in the catalogue, and how many gates lie side by side in a kernel."""


def undone(
    call: Call,
    name: str,
    own: np.ndarray,
    others: Mapping[str, np.ndarray],
    flattened: Sequence[int] | None,
) -> tuple[str, np.ndarray] | None:
    """What was done wrongly to one of Keras's weights, and PyTorch's with it undone.

    Args:
        call: the Keras call.
        name: of the weight.
        own: Keras's.
        others: PyTorch's of the same layer, in canonical form.
        flattened: shape (H, W, C) of the map that was flattened into the layer's input, if any.

    Returns:
        The catalogue's id and the mended weight, which is Keras's bit for bit; None where no known
        mistake explains it.
    """
    if call.layer == "GRU" and name == "bias" and own.ndim == 2 and name in others:
        summed, rest = others[name]
        if np.array_equal(summed, own.sum(0)) and not rest.any():
            return "gru.summed_biases", own
    for mistake, mended in _candidates(call, name, own.shape, others, flattened):
        if mended.shape == own.shape and np.array_equal(mended, own):
            return mistake, mended
    return None


def _candidates(
    call: Call,
    name: str,
    shape: tuple[int, ...],
    others: Mapping[str, np.ndarray],
    flattened: Sequence[int] | None,
) -> Iterator[tuple[str, np.ndarray]]:
    value = others.get(name)
    if value is None:
        return
    kind = call.layer
    if name == "kernel" and kind == "Dense":
        yield "dense.kernel_layout", value.T
        yield "dense.kernel_layout", value.T.reshape(shape)
        if flattened is not None:
            yield from _order(value, flattened)
    elif name in ("kernel", "depthwise_kernel") and value.ndim > 2:
        mistake = "conv.kernel_layout" if name == "kernel" else "conv.depthwise_kernel"
        if kind.endswith("Transpose"):
            mistake = "conv_transpose.kernel_layout"
        yield "conv.kernel_flipped", np.flip(value, tuple(range(value.ndim - 2)))
        for axes in itertools.permutations(range(value.ndim)):
            turned = value.transpose(axes)
            yield mistake, turned
            yield mistake, turned.reshape(shape)
    elif kind in RECURRENT:
        yield from _gates(kind, value)
    for swapped in ({"gamma", "beta"}, {"moving_mean", "moving_variance"}):
        if name in swapped and swapped <= {*others}:
            (other,) = swapped - {name}
            yield f"weights.swapped_{'_'.join(sorted(swapped))}", others[other]


def _order(kernel: np.ndarray, flattened: Sequence[int]) -> Iterator[tuple[str, np.ndarray]]:
    """Rows taken over as they are, though the map is flattened channels first there.

    In canonical form the mistake has put the rows of (C, H, W) where (H, W, C) belongs.
    """
    *space, channels = flattened
    apart = kernel.reshape(*space, channels, -1)
    raw = np.moveaxis(apart, -2, 0).reshape(kernel.shape)
    yield "flatten.order", raw
    back = kernel.reshape(channels, *space, -1)
    yield "flatten.order", np.moveaxis(back, 0, -2).reshape(kernel.shape)


def _gates(kind: str, value: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    known, count = RECURRENT[kind]
    if value.shape[-1] % count:
        return
    parts = np.split(value, count, axis=-1)
    for order in itertools.permutations(range(count)):
        yield f"{known}.gate_order", np.concatenate([parts[n] for n in order], -1)
    if value.ndim == 2 and value.shape[0] == value.shape[1] // count:
        turned = [part.T for part in parts]
        yield f"{known}.kernel_layout", np.concatenate(turned, -1)
