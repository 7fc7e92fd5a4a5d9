"""Which random calls of the two models belong together: they draw the same numbers."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace

from parity.adapters.random_draws import Mask
from parity.adapters.trainer import Batch, TrainingRun
from parity.pairs.align.match import Alignment


def match_draws(
    batch: Batch, keras: TrainingRun, torch: TrainingRun, alignment: Alignment, calls: int
) -> Batch:
    """Give random calls of partners one stream of numbers; calls without a partner go by size.

    Args:
        batch: what both models ran with.
        keras: Keras's run.
        torch: PyTorch's run.
        alignment: of their calls.
        calls: number of layers that Keras's model called.

    Returns:
        The batch with these streams as options.
    """
    partners = {t.number: k.number for k, t in alignment.pairs}
    keras_names = _names("keras", keras, {one: one for one in keras.random_calls}, calls)
    torch_names = _names("torch", torch, partners, calls)
    alone = (
        {place for place, one in enumerate(keras.random_calls) if one not in partners.values()},
        {place for place, one in enumerate(torch.random_calls) if one not in partners},
    )
    runs = tuple(zip((keras, torch), alone, strict=True))
    for first, second in _in_order(*(_only(run.normals, places) for run, places in runs)):
        torch_names[second] = keras_names[first]
    masks: dict[int, Mask] = {}
    sizes = (
        _only({place: mask.sizes for place, mask in run.masks.items()}, places)
        for run, places in runs
    )
    for first, second in _in_order(*sizes):
        torch_names[second], masks[second] = keras_names[first], keras.masks[first]
    return replace(
        batch,
        keras_options=replace(batch.keras_options, names=tuple(keras_names)),
        torch_options=replace(batch.torch_options, names=tuple(torch_names), masks=masks),
    )


def streams(batch: Batch, keras: TrainingRun) -> dict[int, str]:
    """By number of a Keras call the first stream that it draws from."""
    found: dict[int, str] = {}
    for number, name in zip(keras.random_calls, batch.keras_options.names, strict=False):
        found.setdefault(number, name)
    return found


def _names(side: str, run: TrainingRun, partners: Mapping[int, int], calls: int) -> list[str]:
    """A stream for each random call, by the Keras call that it belongs to."""
    names: list[str] = []
    for place, number in enumerate(run.random_calls):
        partner = partners.get(number)
        count = run.random_calls[:place].count(number)
        known = partner is not None and partner < calls
        names.append(f"pair/{partner}/{count}" if known else f"{side}/{place}")
    return names


def _only(sizes: Mapping[int, Hashable], places: set[int]) -> dict[int, Hashable]:
    return {place: size for place, size in sizes.items() if place in places}


def _in_order(
    keras: Mapping[int, Hashable], torch: Mapping[int, Hashable]
) -> list[tuple[int, int]]:
    """Places of one and the other in order, of each size that both have equally often."""
    found: list[tuple[int, int]] = []
    for size in dict.fromkeys(keras.values()):
        places = [[place for place in one if one[place] == size] for one in (keras, torch)]
        if len(places[0]) == len(places[1]):
            found += zip(*places, strict=True)
    return found
