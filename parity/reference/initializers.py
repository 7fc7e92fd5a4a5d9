"""Initialisers by name: Keras's, and PyTorch's default for its layers.

Sources: ``keras/src/initializers/random_initializers.py``; ``torch/nn/modules/linear.py``
(``kaiming_uniform_(a=√5)``, which is U(±1/√fan_in)); ``torch/nn/modules/rnn.py`` (U(±1/√hidden)).
Building a spec needs only the names, so NumPy is imported when a tensor is drawn.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

INITIALIZERS = (
    "zeros",
    "ones",
    "random_uniform",
    "random_normal",
    "truncated_normal",
    "glorot_uniform",
    "glorot_normal",
    "he_uniform",
    "he_normal",
    "lecun_uniform",
    "lecun_normal",
    "orthogonal",
    "torch_default",
)
"""Initialisers that users can select. ``unit_forget`` (an LSTM bias) is only set by specs."""

CONSTANT = ("zeros", "ones", "unit_forget")
"""Initialisers without randomness."""

_TRUNCATED_STDDEV = 0.87962566103423978  # of a unit normal cut at ±2, as in Keras


def draw(
    name: str, shape: tuple[int, ...], fans: tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    """Draw an initial tensor.

    Args:
        name: one of :data:`INITIALIZERS`, or ``unit_forget``.
        shape: canonical shape.
        fans: (fan_in, fan_out), for scaling.
        rng: random generator; not used by constant initialisers.

    Returns:
        float64 array of ``shape`` whose values are exactly representable in float32, so that a
        float32 and a float64 run start from the same weights.
    """
    import numpy as np

    fan_in, fan_out = fans
    if name == "zeros":
        values = np.zeros(shape)
    elif name == "ones":
        values = np.ones(shape)
    elif name == "unit_forget":  # gates i, f, c, o: the forget gate starts at one
        values = np.zeros(shape)
        units = shape[-1] // 4
        values[..., units : 2 * units] = 1.0
    elif name == "random_uniform":
        values = rng.uniform(-0.05, 0.05, shape)
    elif name == "random_normal":
        values = 0.05 * rng.standard_normal(shape)
    elif name == "truncated_normal":
        values = _truncated(0.05, shape, rng)
    elif name == "orthogonal":
        values = _orthogonal(shape, rng)
    elif name == "torch_default":
        bound = 1.0 / math.sqrt(fan_in)
        values = rng.uniform(-bound, bound, shape)
    else:  # <scale>_<distribution>: variance scaling
        scale, distribution = name.split("_")
        scales = {"glorot": 2.0 / (fan_in + fan_out), "he": 2.0 / fan_in, "lecun": 1.0 / fan_in}
        variance = scales[scale]
        if distribution == "uniform":
            bound = math.sqrt(3.0 * variance)
            values = rng.uniform(-bound, bound, shape)
        else:
            values = _truncated(math.sqrt(variance) / _TRUNCATED_STDDEV, shape, rng)
    return values.astype(np.float32).astype(np.float64)


def _truncated(stddev: float, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Normal values, drawn again until none exceeds two standard deviations."""
    values = rng.standard_normal(shape)
    outside = abs(values) > 2.0
    while outside.any():
        values[outside] = rng.standard_normal(int(outside.sum()))
        outside = abs(values) > 2.0
    return stddev * values


def _orthogonal(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Keras's ``Orthogonal``: Q of a normal matrix, with the signs of R's diagonal."""
    import numpy as np

    rows, columns = math.prod(shape[:-1]), shape[-1]
    q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
    q *= np.sign(np.diag(r))
    return (q if rows >= columns else q.T).reshape(shape)
