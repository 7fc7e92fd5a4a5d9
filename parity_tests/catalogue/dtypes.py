"""Demonstrations of code that computes in another dtype than its model, by id."""

from __future__ import annotations

import math

import tensorflow as tf

from parity.constants import as_float32
from parity_tests.catalogue import Demonstration, Shown
from parity_tests.catalogue.frameworks import n, normal, t

X = normal(100, 5)


def constant(flavour: str) -> Shown:
    """A square root as TensorFlow code often writes it."""
    keras = (tf.constant(X) / tf.cast(tf.sqrt(2.0), tf.float64)).numpy()
    return Shown(keras, n(t(X) / math.sqrt(2.0)), n(t(X) / as_float32(math.sqrt(2.0))))


DEMONSTRATIONS: dict[str, Demonstration] = {"dtype.float32": constant}
