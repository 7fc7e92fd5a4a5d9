"""What a Keras model's code computes in float32 although the model computes in float64.

Where it is computed in float64 instead, Keras's outputs may change by rounding and no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

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
        differences are unknown then and Keras's outputs have changed by no more than rounding;
        else None.
    """
    known = (found.rounded or found.causes) and not found.unknown
    small = found.causes and found.largest_difference <= tolerance.ROUNDING_MAX
    islands = pair.keras_run.computed_in_float32
    if not islands or not found.different_outputs or (known and not small):
        return None
    run = fused_run(pair.keras.run(pair.inputs, promote_to_float64=True))
    change = max(
        relative_error(run.outputs[name], value) for name, value in pair.keras_run.outputs.items()
    )
    torch_run = fused_run(pair.torch.run(pair.inputs, pair.torch_inputs).in_layout_of(run))
    alignment = pair.alignment.of(run, torch_run)
    pair = replace(pair, keras_run=run, torch_run=torch_run, alignment=alignment, promoted=True)
    with Progress("layers", len(alignment.pairs)) as progress:
        after = compare(pair, progress)
    explains = after.unknown < found.unknown or not after.different_outputs
    if not explains or change > tolerance.ROUNDING_MAX:
        return None
    before = max(one.observed for one in found.different_outputs)
    return pair, after, (_note(run.computed_in_float32, before, after.largest_difference),)


def _note(islands: Mapping[str, str], before: float, after: float) -> str:
    places = ", ".join(f"{place} ({what})" if what else place for place, what in islands.items())
    return (
        f"{ID}: Keras's model computes in float32, whatever its own dtype, in {places}. With that "
        f"in float64 its outputs differ from PyTorch's by {after:.1g} instead of {before:.1g}; all "
        "else is compared so. This is rounding, not a fault."
    )
