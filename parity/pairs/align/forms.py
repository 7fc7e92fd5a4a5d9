"""The forms in which a PyTorch weight of some shape may hold a Keras weight of another."""

from __future__ import annotations

from collections.abc import Iterator

from parity.adapters.transfer import Form, Shape


def forms(keras: Shape, torch: Shape, native: bool) -> Iterator[Form]:
    """Forms in which a PyTorch weight of one shape may be a Keras weight of another.

    Args:
        keras: shape of the Keras weight.
        torch: shape of the PyTorch weight.
        native: whether the PyTorch weight is as its owner's code has it; a known layer's is in
            Keras's layout already.
    """
    if _same_axes(keras, torch):
        yield Form(keras, torch)
    if not native or len(torch) < 2:
        return
    rank = len(torch)
    orders = {(1, 0)} if rank == 2 else {(*range(2, rank), 1, 0), (*range(2, rank), 0, 1)}
    for order in sorted(orders):
        if _same_axes(keras, tuple(torch[axis] for axis in order)):
            yield Form(keras, torch, order)


def packed(keras: Shape, torch: Shape, count: int, native: bool) -> list[list[Form]]:
    """Ways to pack several Keras weights of one shape in one PyTorch weight."""
    found = []
    heads = keras[-2] if len(keras) > 1 else 1
    for axis in range(len(torch)):
        for outer in dict.fromkeys((1, heads)):
            if torch[axis] % (count * outer):
                continue
            part = (*torch[:axis], torch[axis] // count, *torch[axis + 1 :])
            found += [
                [
                    Form(keras, torch, form.order, axis, place, count, outer)
                    for place in range(count)
                ]
                for form in forms(keras, part, native)
            ]
    return found


def _same_axes(first: Shape, second: Shape) -> bool:
    """Whether both are the same but for axes of length 1, and axes that one of them merges."""
    left, right = ([size for size in one if size != 1] for one in (first, second))
    while left and right:
        a, b = left.pop(0), right.pop(0)
        some, whole = (left, max(a, b)) if a < b else (right, max(a, b))
        found = min(a, b)
        while found < whole and some:
            found *= some.pop(0)
        if found != whole:
            return False
    return not left and not right
