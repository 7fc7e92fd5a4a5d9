"""The one file that starts PyTorch: version, threads, device and dtype."""

from __future__ import annotations

import torch

from parity.backend import Settings
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
