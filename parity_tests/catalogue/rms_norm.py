"""Root mean square normalization, by id."""

from __future__ import annotations

from typing import Any

from torch.nn import functional as F

from parity.reference.layers.rms_norm import RMSNorm
from parity_tests.catalogue import Demonstration, Shown
from parity_tests.catalogue.frameworks import has, keras_layer, n, normal, out, t, weights_of

REFERENCES: list[tuple[Any, Any, dict[str, Any]]] = [
    (RMSNorm(axis=-1, epsilon=1e-6), normal(6, 5), {}),
    (RMSNorm(axis=-1, epsilon=0.1), normal(2, 4, 4, 3), {}),
    (RMSNorm(axis=(1, 2), epsilon=0.1), normal(3, 5, 4), {}),
]


def epsilon(flavour: str) -> Shown | None:
    if not has(RMSNorm):
        return None
    x = normal(6, 5) * 0.003
    layer = keras_layer("RMSNormalization", x)
    (scale,) = map(t, weights_of(layer).values())
    return Shown(out(layer, x), *(n(F.rms_norm(t(x), (5,), scale, e)) for e in (None, 1e-6)))


DEMONSTRATIONS: dict[str, Demonstration] = {"rms_norm.epsilon": epsilon}
