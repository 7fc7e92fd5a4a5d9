"""Change tensors of a record, and read what the first divergence is attributed to."""

from __future__ import annotations

from parity.verdict.compare import Comparison
from parity.verdict.result import Check
from parity_tests.support.records import Tensors

STATISTIC = "batch_norm_1/moving_mean"


def spoil(values: Tensors, *names: str, dtype: str = "float64") -> None:
    """Change the last entry of each tensor: another class, another bit, or a tenth more."""
    for name in names:
        value = values[f"{dtype}/{name}"]
        last = value.reshape(-1)[-1]
        value.reshape(-1)[-1] = ~last if value.dtype == bool else last + value.dtype.type(1)


def blamed(comparison: Comparison) -> Check:
    assert comparison.first
    return comparison.first


def where(comparison: Comparison) -> tuple[str, str, str, int | None]:
    """Rung and tensor of the first divergence, what is to blame, and the step."""
    found = blamed(comparison)
    return found.rung, found.tensor, found.location, found.step


def layers(comparison: Comparison) -> tuple[str | None, str | None]:
    """Both names of the layer of the first divergence."""
    return blamed(comparison).keras_layer, blamed(comparison).torch_module
