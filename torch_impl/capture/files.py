"""PyTorch's files of weights: ``.safetensors``, ``.pt``. Twin: ``keras_impl/capture``.

A ``.pt`` is read with ``weights_only``: no code of it is ever run.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn

from parity.errors import ParityError
from torch_impl.capture.errors import describe_error

SUFFIXES = (".safetensors", ".pt")


def dtype_of(path: Path) -> str:
    """See :meth:`parity.adapters.side.Side.dtype_of`."""
    found = {one.dtype for one in _read(path).values()}
    return "float64" if torch.float64 in found else "float32"


def load(model: nn.Module, path: Path) -> None:
    """See :meth:`parity.adapters.side.Side.load`."""
    state = _read(path)
    own = model.state_dict()
    for name in (*own, *state):
        if name not in state or name not in own:
            place = "lacks" if name not in state else "holds"
            raise ParityError(
                f"{path}: {place} {name!r}, accepted: the state_dict of torch_model()"
            )
        received, wanted = tuple(state[name].shape), tuple(own[name].shape)
        if received != wanted:
            raise ParityError(f"{path}: {name}: received {received}, accepted: {wanted}")
    model.load_state_dict(state)


def save(model: nn.Module, path: Path) -> None:
    """See :meth:`parity.adapters.side.Side.save`."""
    # weights that two modules share are written twice: whoever reads them need not know
    state = {name: one.detach().clone().contiguous() for name, one in model.state_dict().items()}
    if path.suffix == ".pt":
        torch.save(state, path)
    else:
        safetensors.torch.save_file(state, path, metadata={"format": "pt"})


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".pt":
            found = torch.load(path, map_location="cpu", weights_only=True)
        else:
            found = safetensors.torch.load_file(path)
    except Exception as error:
        raise ParityError(
            f"{path}: {describe_error(error)}; accepted: a whole {path.suffix} "
            "file that holds tensors by name, as a state_dict does"
        ) from error
    if not isinstance(found, Mapping) or not all(
        isinstance(name, str) and isinstance(one, Tensor) for name, one in found.items()
    ):
        raise ParityError(
            f"{path}: received a {type(found).__name__} of something else, accepted: tensors by "
            "name, as a state_dict holds them"
        )
    for name, one in found.items():
        if one.layout is not torch.strided or one.is_quantized:
            kind = "a quantized tensor" if one.is_quantized else f"a {one.layout} tensor"
            raise ParityError(f"{path}: {name}: received {kind}, accepted: a dense one")
    return dict(found)
