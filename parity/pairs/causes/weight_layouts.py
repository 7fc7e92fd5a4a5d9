"""The usual mistakes in copying weights by hand, each recognised by undoing it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from parity.adapters.calls import Call

RECURRENT = {"SimpleRNN": ("simple_rnn", 1), "GRU": ("gru", 3), "LSTM": ("lstm", 4)}
"""Class to its name in the catalogue, and the number of gates in a kernel."""


def undone(
    call: Call,
    name: str,
    expected: np.ndarray,
    weights: Mapping[str, np.ndarray],
    flattened: Sequence[int] | None,
) -> tuple[str, np.ndarray] | None:
    """The mistake made in copying one of Keras's weights, and PyTorch's weight without it.

    Args:
        call: the Keras call.
        name: of the weight.
        expected: Keras's value.
        weights: PyTorch's, of the same layer, in canonical form.
        flattened: shape (H, W, C) of the map that was flattened into the layer's input, if any.

    Returns:
        The catalogue's id and the corrected weight, bit for bit Keras's; None where no known
        mistake explains it.
    """
    if call.layer == "GRU" and name == "bias" and expected.ndim == 2 and name in weights:
        summed, rest = weights[name]
        if np.array_equal(summed, expected.sum(0)) and not rest.any():
            return "gru.summed_biases", expected
    for mistake, corrected in _candidates(call, name, expected.shape, weights, flattened):
        if corrected.shape == expected.shape and np.array_equal(corrected, expected):
            return mistake, corrected
    return None


def _candidates(
    call: Call,
    name: str,
    shape: tuple[int, ...],
    weights: Mapping[str, np.ndarray],
    flattened: Sequence[int] | None,
) -> Iterator[tuple[str, np.ndarray]]:
    value = weights.get(name)
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
            transposed = value.transpose(axes)
            yield mistake, transposed
            yield mistake, transposed.reshape(shape)
    elif kind in RECURRENT:
        yield from _gates(kind, value)
    for swapped in ({"gamma", "beta"}, {"moving_mean", "moving_variance"}):
        if name in swapped and swapped <= {*weights}:
            (other,) = swapped - {name}
            yield f"weights.swapped_{'_'.join(sorted(swapped))}", weights[other]


def _order(kernel: np.ndarray, flattened: Sequence[int]) -> Iterator[tuple[str, np.ndarray]]:
    """Rows copied as they are, although PyTorch flattens the map channels-first.

    In canonical form the rows are in the order of (C, H, W), not (H, W, C).
    """
    *space, channels = flattened
    split = kernel.reshape(*space, channels, -1)
    raw = np.moveaxis(split, -2, 0).reshape(kernel.shape)
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
        transposed = [part.T for part in parts]
        yield f"{known}.kernel_layout", np.concatenate(transposed, -1)
