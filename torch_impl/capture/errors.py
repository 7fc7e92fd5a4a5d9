"""What an error of PyTorch's says. Twin: ``keras_impl/capture/errors.py``."""

from __future__ import annotations

from parity import errors


def said(error: BaseException) -> str:
    """See :func:`parity.errors.said`; the first sentence, for PyTorch goes on with advice."""
    return errors.said(error).split(". ")[0]
