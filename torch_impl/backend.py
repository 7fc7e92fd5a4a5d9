"""PyTorch as a backend of parity. Twin: ``keras_impl/backend.py``."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from parity.adapters.backend import PairMember, Settings, require
from parity.specs import weights
from parity.specs.registry import class_name
from parity.specs.run import Spec

if TYPE_CHECKING:
    from torch_impl.ladder.training import TorchModel


class TorchBackend:
    """Implements :class:`parity.adapters.backend.Backend`."""

    name = "torch"

    def __init__(self, settings: Settings) -> None:
        require("torch", "torch_impl", "torch")
        self.framework = importlib.import_module("torch_impl.framework")
        self.framework.configure(settings)
        self.device = settings.device

    def create(self, spec: Spec, dtype: str) -> TorchModel:
        """See :meth:`parity.adapters.backend.Backend.create`."""
        from torch_impl.ladder.training import TorchModel

        module = importlib.import_module(f"torch_impl.models.{spec.family}")
        network = getattr(module, class_name(spec.family))(spec.model)
        model = TorchModel(network, spec, dtype, self.device)
        model.set_weights(weights.initial_weights(spec.model, spec.training.seed))
        return model

    def pair_member(self, spec: Spec) -> PairMember:
        """See :meth:`parity.adapters.backend.Backend.pair_member`."""
        from torch_impl.ladder.training import TorchModel
        from torch_impl.parts.losses import HeadLoss

        loss_fn = HeadLoss(spec.model, spec.training)

        def built() -> Any:
            model = self.create(spec, "float64")
            model.set_weights(weights.probe_weights(spec.model, spec.training.seed))
            model.model.penalties = model.penalties  # counted in by the check
            return model.model

        def loss(outputs: Any, y: Any) -> Any:
            return loss_fn(y, outputs)

        def optimizer(params: list[Any]) -> Any:
            network = built()
            for (path, _), parameter in zip(network.named_parameters(), params, strict=True):
                owner, _, name = path.rpartition(".")
                setattr(network.get_submodule(owner), name, parameter)
            model = TorchModel(network, spec, str(params[0].dtype).split(".")[1], self.device)
            return (model.optimizer, model.schedule) if model.schedule else model.optimizer

        return PairMember(built, loss, optimizer)

    def scores(
        self, names: Iterable[str], spec: Spec, outputs: np.ndarray, y: np.ndarray, top_k: int
    ) -> dict[str, np.ndarray]:
        """See :meth:`parity.adapters.backend.Backend.scores`."""
        from torch_impl.parts.scores import scores_of

        return scores_of(names, spec.model, outputs, y, top_k)

    def versions(self) -> dict[str, str]:
        """See :meth:`parity.adapters.backend.Backend.versions`."""
        return self.framework.versions()

    def threads(self) -> dict[str, int]:
        """See :meth:`parity.adapters.backend.Backend.threads`."""
        return self.framework.threads()

    def thread_counts(self) -> tuple[int, ...]:
        """Several counts, which split sums differently on any machine."""
        return tuple(count for count in (1, 2, 3, 4) if count != self.threads()["intra_op"])

    def threads_elsewhere(self) -> int:
        """0: this process can change its threads itself."""
        return 0

    def use_threads(self, count: int) -> None:
        """See :meth:`parity.adapters.backend.Backend.use_threads`."""
        self.framework.torch.set_num_threads(count)

    def notes(self, spec: Spec, dtypes: Collection[str]) -> list[str]:
        """See :meth:`parity.adapters.backend.Backend.notes`."""
        if getattr(spec.model, "batch_norm", False) and "float64" in dtypes:
            return [
                "batch norm: in float64 PyTorch computes the formula directly, because its kernel "
                "adds values one by one and loses three digits"
            ]
        return []
