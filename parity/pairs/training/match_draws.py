"""Which random draws of the two sides belong together: they get the same numbers."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from parity.adapters.trainer import KerasTrainer, TorchTrainer
from parity.pairs.align.match import Alignment


def share(k: KerasTrainer, t: TorchTrainer, alignment: Alignment, calls: int) -> dict[int, str]:
    """Give draws of partners one name; those without a partner go by order and size.

    Args:
        k: Keras's trainer, whose model has run.
        t: PyTorch's, likewise.
        alignment: of their runs.
        calls: how many Keras's has made.

    Returns:
        By the number of a Keras call the name of what it draws.
    """
    partners = {other.number: own.number for own, other in alignment.pairs}
    found: dict[int, str] = {}
    for trainer, which in ((k, "keras"), (t, "torch")):
        names: list[str] = []
        for number in trainer.random_calls:
            own = number if which == "keras" else partners.get(number)
            count = trainer.random_calls[: len(names)].count(number)
            known = own is not None and own < calls
            names.append(f"pair/{own}/{count}" if known else f"{which}/{len(names)}")
            if which == "keras":
                found.setdefault(number, names[-1])
        trainer.names = names
    alone = [
        {place for place, number in enumerate(trainer.random_calls) if number not in matched}
        for trainer, matched in ((k, {*partners.values()}), (t, {*partners}))
    ]
    for first, second in _in_order(_only(k.normals, alone[0]), _only(t.normals, alone[1])):
        t.names[second] = k.names[first]
    sizes = [{place: mask.sizes for place, mask in one.masks.items()} for one in (k, t)]
    t.given = {}
    for first, second in _in_order(_only(sizes[0], alone[0]), _only(sizes[1], alone[1])):
        t.names[second], t.given[second] = k.names[first], k.masks[first]
    return found


def _only(sizes: Mapping[int, Hashable], places: set[int]) -> dict[int, Hashable]:
    return {place: size for place, size in sizes.items() if place in places}


def _in_order(own: Mapping[int, Hashable], other: Mapping[int, Hashable]) -> list[tuple[int, int]]:
    """Places of one and the other, one after the other of a size that both have as often."""
    found: list[tuple[int, int]] = []
    for size in dict.fromkeys(own.values()):
        left = [[place for place in one if one[place] == size] for one in (own, other)]
        if len(left[0]) == len(left[1]):
            found += zip(*left, strict=True)
    return found
