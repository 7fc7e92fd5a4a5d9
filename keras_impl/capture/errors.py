"""One-line descriptions of Keras's and TensorFlow's errors. Twin: ``torch_impl.capture.errors``."""

from __future__ import annotations

import re

from parity import errors

LAYER = "Exception encountered when calling"
NAMES = re.compile(r"\{\{[^}]*\}\}\s*| \[Op:\w*\]| name: *$")
"""Operation names that TensorFlow adds to a message."""


def describe_error(error: BaseException) -> str:
    """As :func:`parity.errors.describe_error`, without the line where Keras 2 names a layer."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    if len(lines) > 1 and lines[0].startswith(LAYER):
        lines = lines[1:]
    line = NAMES.sub("", errors.first_line("\n".join(lines)))
    return f"{type(error).__name__}: {line.strip()}".rstrip(": ")
