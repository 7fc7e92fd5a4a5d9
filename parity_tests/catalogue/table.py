"""All demonstrations and all configurations that references are held against."""

from __future__ import annotations

from parity_tests.catalogue import (
    Demonstration,
    activations,
    batch_norm,
    conv,
    conv_transpose,
    dense,
)

ROOMS = (
    dense,
    activations,
    conv,
    conv_transpose,
    batch_norm,
)
"""In the order of :data:`parity.catalogue.LAYERS`."""

DEMONSTRATIONS: dict[str, Demonstration] = {
    name: shown for room in ROOMS for name, shown in room.DEMONSTRATIONS.items()
}
"""Id of a difference to what shows it."""
