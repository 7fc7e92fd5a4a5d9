"""Demonstrations of the differences in arithmetic, by id."""

from __future__ import annotations

import numpy as np
import torch

from parity_tests.catalogue import Demonstration, Shown
from parity_tests.catalogue.frameworks import as_tf, n, t

TINY = np.array([1e-310])


def denormal(flavour: str) -> Shown:
    keras = (as_tf(TINY) * 1e308).numpy()
    naive = n(t(TINY) * 1e308)
    assert torch.set_flush_denormal(True), "this processor cannot flush"
    try:
        faithful = n(t(TINY) * 1e308)
    finally:
        torch.set_flush_denormal(False)
    return Shown(keras, naive, faithful)


DEMONSTRATIONS: dict[str, Demonstration] = {"numbers.denormal": denormal}
