"""What an error of Keras's or TensorFlow's says. Twin: ``torch_impl/capture/errors.py``."""

from __future__ import annotations

import re

from parity import errors

LAYER = "Exception encountered when calling"
NAMES = re.compile(r"\{\{[^}]*\}\}\s*| \[Op:\w*\]| name: *$")
"""TensorFlow's own names of operations."""


def said(error: BaseException) -> str:
    """See :func:`parity.errors.said`; Keras 2 says first in which layer it was."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    if len(lines) > 1 and lines[0].startswith(LAYER):
        lines = lines[1:]
    line = NAMES.sub("", errors.first_line("\n".join(lines)))
    return f"{type(error).__name__}: {line.strip()}".rstrip(": ")
