"""What a model's code computes in float32 although the model computes in float64, in either model.

Where it is computed in float64 instead, the outputs may change by rounding and no more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from parity.adapters.calls import Run
from parity.adapters.side import CannotRun
from parity.numerics import tolerance
from parity.numerics.distance import relative_error
from parity.pairs.align.fusion import fused_run
from parity.pairs.forward.compare import EvaluationFindings, compare
from parity.pairs.forward.setup import Pair
from parity.progress import Progress

ID = "dtype.float32"
"""Of the catalogue."""


def promoted(
    pair: Pair, found: EvaluationFindings
) -> tuple[Pair, EvaluationFindings, tuple[str, ...]] | None:
    """The comparison once more with that in float64, where it explains something.

    Args:
        pair: the models as they are.
        found: what their comparison found.

    Returns:
        The pair as it ran then, the new findings and a note with the figures, where fewer
        differences are unknown then and the outputs have changed by no more than rounding; else
        None.
    """
    known = (found.rounded or found.causes) and not found.unknown
    small = found.causes and found.largest_difference <= tolerance.ROUNDING_MAX
    if not found.different_outputs or (known and not small):
        return None
    before = max(one.observed for one in found.different_outputs)
    best = None
    for one, torch in _variants(pair):
        with Progress("layers", len(one.alignment.pairs)) as progress:
            after = compare(one, progress)
        if after.unknown < found.unknown or not after.different_outputs:
            best = one, torch, after
        if not after.different_outputs:
            break
    pair.torch.promote_to_float64 = best is not None and best[1]
    if best is None:
        return None
    one, torch, after = best
    notes = [_note("Keras", "PyTorch", one.keras_run, before, after)] if one.promoted else []
    notes += [_note("PyTorch", "Keras", one.torch_run, before, after)] if torch else []
    return one, after, tuple(notes)


def _variants(pair: Pair) -> Iterator[tuple[Pair, bool]]:
    """The pair with Keras's model promoted, with PyTorch's, with both; as far as each changes.

    Yields:
        The pair, and whether PyTorch's model is promoted.
    """
    islands = bool(pair.keras_run.computed_in_float32)
    changed = True  # PyTorch's outputs, by promotion
    for keras, torch in ((True, False), (False, True), (True, True)):
        if keras > islands or torch > changed:
            continue
        pair.torch.promote_to_float64 = torch
        keras_run = fused_run(pair.keras.run(pair.inputs, promote_to_float64=keras))
        try:
            run = pair.torch.run(pair.inputs, pair.torch_inputs)
            torch_run = fused_run(run.in_layout_of(keras_run))
            alignment = pair.alignment.of(keras_run, torch_run)
        except (CannotRun, IndexError):  # code that depends on its dtype
            changed = False
            continue
        changes = _change(pair.keras_run, keras_run), _change(pair.torch_run, torch_run)
        changed = not torch or changes[1] > 0
        if max(changes) > tolerance.ROUNDING_MAX or torch > changed:
            continue
        changed_pair = replace(pair, keras_run=keras_run, torch_run=torch_run, promoted=keras)
        yield replace(changed_pair, alignment=alignment), torch


def _change(plain: Run, promoted: Run) -> float:
    """The largest relative change of an output."""
    return max(relative_error(promoted.outputs[name], one) for name, one in plain.outputs.items())


def _note(one: str, other: str, run: Run, before: float, after: EvaluationFindings) -> str:
    islands = run.computed_in_float32.items()
    places = ", ".join(f"{place} ({what})" if what else place for place, what in islands)
    where = f", in {places}" if places else ""
    return (
        f"{ID}: {one}'s model computes in float32, whatever its own dtype{where}. With that in "
        f"float64 its outputs differ from {other}'s by {after.largest_difference:.1g} instead of "
        f"{before:.1g}; all else is compared so. This is rounding, not a fault."
    )
