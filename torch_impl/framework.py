"""Configure PyTorch: version, threads, device and dtype."""

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
        ParityError: the device does not exist.
    """
    devices = ["cpu", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
    if torch_device(settings.device) not in devices:
        raise ParityError(f"--device: received {settings.device!r}, accepted: {', '.join(devices)}")
    if settings.threads:
        torch.set_num_threads(settings.threads)
    keep_memory()
    with denormals_as_zero():
        torch.ones(1 << 17).add(1.0)  # threads keep the mode in which they are started


M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # malloc.h


def keep_memory() -> None:
    """Make glibc reuse the memory of freed tensors instead of returning it to the system.

    The system would fill every page of a large tensor with zeros again at each step. Other C
    libraries are not changed. Source: mallopt(3).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, -1)


@contextlib.contextmanager
def denormals_as_zero() -> Iterator[None]:
    """Treat denormal numbers as zero, as TensorFlow does on a CPU.

    Processors are many times slower for denormal numbers, and training produces them: moments of
    inactive units, gradients of examples with almost no loss.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def torch_device(device: str) -> str:
    """PyTorch's name for a device: ``cuda`` → ``cuda:0``, others unchanged."""
    return "cuda:0" if device == "cuda" else device


def threads() -> dict[str, int]:
    """The current thread settings."""
    return {"intra_op": torch.get_num_threads(), "inter_op": torch.get_num_interop_threads()}


def versions() -> dict[str, str]:
    """Versions of the imported frameworks."""
    return {"torch": torch.__version__}


def dtype_of(dtype: str) -> torch.dtype:
    """PyTorch's dtype with this name."""
    return getattr(torch, dtype)
