"""The one file that starts PyTorch: version, threads, device and dtype."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Iterator

import torch

from parity.adapters.backend import Settings
from parity.errors import ParityError


def configure(settings: Settings) -> None:
    """Apply threads and device to this process.

    Raises:
        ParityError: the device is not there.
    """
    devices = ["cpu", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
    if torch_device(settings.device) not in devices:
        raise ParityError(f"--device: received {settings.device!r}, accepted: {', '.join(devices)}")
    if settings.threads:
        torch.set_num_threads(settings.threads)
    keep_memory()
    with denormals_as_zero():
        torch.ones(1 << 17).add(1.0)  # threads keep the mode they were started in


M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # malloc.h


def keep_memory() -> None:
    """Have glibc keep the memory of tensors that are gone, for those of the next step.

    Large ones it would give back to the system, which hands them out again page by page, each
    filled with zeros first. Other C libraries are left as they are. Source: mallopt(3).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, -1)


@contextlib.contextmanager
def denormals_as_zero() -> Iterator[None]:
    """As TensorFlow has it on a CPU.

    What is too small to be normal takes processors many times as long, and training makes such
    numbers: moments of units that died, gradients of what is known by heart.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def torch_device(device: str) -> str:
    """PyTorch's name for a device: ``cuda`` → ``cuda:0``, else as it is."""
    return "cuda:0" if device == "cuda" else device


def threads() -> dict[str, int]:
    """Thread settings in force."""
    return {"intra_op": torch.get_num_threads(), "inter_op": torch.get_num_interop_threads()}


def versions() -> dict[str, str]:
    """What computes here."""
    return {"torch": torch.__version__}


def dtype_of(dtype: str) -> torch.dtype:
    """PyTorch's dtype of that name."""
    return getattr(torch, dtype)
