"""One-line descriptions of PyTorch's errors. Twin: ``keras_impl.capture.errors``."""

from __future__ import annotations

from parity import errors


def describe_error(error: BaseException) -> str:
    """As :func:`parity.errors.describe_error`, but only the first sentence: advice follows it."""
    return errors.describe_error(error).split(". ")[0]
