"""What a Keras model's code computes in float32 although the model computes in float64.

Where it is computed in float64 instead, Keras's numbers may move by rounding and no more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from parity.numerics import tolerance
from parity.numerics.arrays import distance
from parity.pairs.align.fusion import fused_run
from parity.pairs.forward.compare import Findings
from parity.progress import Progress
from parity.verdict.result import UNKNOWN

if TYPE_CHECKING:
    pass


ID = "dtype.float32"
"""Of the catalogue."""


def in_float64(
    findings: Findings,
    inputs: Sequence[np.ndarray],
    torch_inputs: Sequence[np.ndarray] | None,
) -> tuple[Findings, list[str]]:
    """The comparison once more with that in float64, where it explains something.

    Keras's side stays so then, for its training.

    Args:
        findings: of the models as they are.
        inputs: as of :func:`parity.pairs.check.check`.
        torch_inputs: likewise.

    Returns:
        The new findings and a note with the figures, where fewer differences are unknown then and
        Keras's outputs have moved by no more than rounding; else the old ones.
    """
    keras, apart = findings.keras, findings.outputs_apart()
    known = (findings.rounded or findings.causes) and not _unknown(findings)
    small = findings.causes and findings.farthest() <= tolerance.FLOAT32_FLOOR
    if not keras.rounded or not apart or (known and not small):
        return findings, []
    keras.whole = True
    run = fused_run(keras.run(inputs))
    moved = max(
        distance(run.outputs[name], own) for name, own in findings.keras_run.outputs.items()
    )
    torch_run = fused_run(findings.torch.run(inputs, torch_inputs).facing(run))
    alignment = findings.alignment.of(run, torch_run)
    other = Findings(keras, findings.torch, run, torch_run, alignment)
    with Progress("layers", len(alignment.pairs)) as progress:
        other.compare(inputs, torch_inputs, progress)
    explains = _unknown(other) < _unknown(findings) or not other.outputs_apart()
    if not explains or moved > tolerance.FLOAT32_FLOOR:
        keras.whole = False
        return findings, []
    return other, [_note(keras.rounded, max(one.observed for one in apart), other.farthest())]


def _unknown(findings: Findings) -> int:
    return sum(cause.id == UNKNOWN for cause in findings.causes)


def _note(rounded: Mapping[str, str], before: float, after: float) -> str:
    places = ", ".join(f"{place} ({what})" if what else place for place, what in rounded.items())
    return (
        f"{ID}: Keras's model computes in float32, whatever its own dtype, in {places}. With that "
        f"in float64 its outputs are {after:.1g} from PyTorch's in place of {before:.1g}; all else "
        "is compared so. This is rounding, and no fault."
    )
