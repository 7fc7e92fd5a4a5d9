"""Keras as a backend of parity. Twin: ``torch_impl/backend.py``."""

from __future__ import annotations

import importlib
import os
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from parity.adapters.backend import PairMember, Settings, require
from parity.reference.optimizers.table import OPTIMIZERS
from parity.specs import weights
from parity.specs.registry import class_name
from parity.specs.run import Spec

if TYPE_CHECKING:
    from keras_impl.ladder.training import KerasModel


class KerasBackend:
    """Implements :class:`parity.adapters.backend.Backend`."""

    name = "keras"

    def __init__(self, settings: Settings) -> None:
        os.environ.setdefault("PARITY_FLAVOUR", settings.flavour)
        for module in ("tensorflow", "keras" if settings.flavour == "keras3" else "tf_keras"):
            require(module, "keras_impl", "keras")
        self.framework = importlib.import_module("keras_impl.framework")
        self.framework.configure(settings)
        self.device = settings.device

    def create(self, spec: Spec, dtype: str) -> KerasModel:
        """See :meth:`parity.adapters.backend.Backend.create`."""
        from keras_impl.ladder.training import KerasModel

        self.framework.set_dtype(dtype)
        module = importlib.import_module(f"keras_impl.models.{spec.family}")
        with self.framework.tf.device(self.framework.tf_device(self.device)):
            network = getattr(module, class_name(spec.family))(spec.model)
            model = KerasModel(network, spec, dtype, self.device)
        model.set_weights(weights.initial_weights(spec.model, spec.training.seed))
        model.reset_optimizer()  # its averages start at the weights
        return model

    def pair_member(self, spec: Spec) -> PairMember:
        """See :meth:`parity.adapters.backend.Backend.pair_member`."""
        from keras_impl.parts.losses import HeadLoss
        from keras_impl.parts.optimizers import optimizer_for

        def built() -> Any:
            model = self.create(spec, self.framework.keras.backend.floatx())
            model.set_weights(weights.probe_weights(spec.model, spec.training.seed))
            return model.model

        def loss(y: Any, outputs: Any) -> Any:
            return HeadLoss(spec.model, spec.training)(y, outputs)  # of the dtype of the moment

        return PairMember(built, loss, optimizer_for(spec.optimizer, spec.schedule))

    def scores(
        self, names: Iterable[str], spec: Spec, outputs: np.ndarray, y: np.ndarray, top_k: int
    ) -> dict[str, np.ndarray]:
        """See :meth:`parity.adapters.backend.Backend.scores`."""
        from keras_impl.parts.scores import scores_of

        with self.framework.tf.device(self.framework.tf_device(self.device)):
            return scores_of(names, spec.model, outputs, y, top_k)

    def versions(self) -> dict[str, str]:
        """See :meth:`parity.adapters.backend.Backend.versions`."""
        return self.framework.versions()

    def threads(self) -> dict[str, int]:
        """See :meth:`parity.adapters.backend.Backend.threads`."""
        return self.framework.threads()

    def thread_counts(self) -> tuple[int, ...]:
        """Empty: TensorFlow fixes its threads when it starts."""
        return ()

    def threads_elsewhere(self) -> int:
        """A count that differs from this process's."""
        own = self.threads()["intra_op"] or os.cpu_count()
        return 2 if own == 1 else 1

    def use_threads(self, count: int) -> None:
        """See :meth:`parity.adapters.backend.Backend.use_threads`; never called here."""
        raise ValueError(f"count: received {count}, but TensorFlow fixes its threads at the start")

    def notes(self, spec: Spec, dtypes: Collection[str]) -> list[str]:
        """See :meth:`parity.adapters.backend.Backend.notes`."""
        keras3 = self.framework.FLAVOUR == "keras3"
        found = []
        if getattr(spec.model, "batch_norm", False) and "float64" in dtypes and not keras3:
            found.append(
                "batch norm: in float64 the running variance uses the unbiased batch variance, as "
                "Keras 2's fused float32 kernel does (its float64 code uses the biased one)"
            )
        if spec.optimizer.name == "nadam" and not keras3:
            found.append(
                "nadam: the product of the momenta is updated once per step; compiled, Keras 2's "
                "own Nadam updates it once per weight tensor"
            )
        if getattr(spec.model, "tokens", 0):
            optimizer = spec.optimizer
            clips = optimizer.clipnorm or optimizer.global_clipnorm or optimizer.clipvalue
            if keras3 and spec.optimizer.name not in ("sgd", "momentum", "nesterov"):
                found.append(
                    "embedding: gradients of a repeated row are summed before the optimizer; "
                    f"Keras 3's own {OPTIMIZERS[spec.optimizer.name].kind} squares each separately"
                )
            if clips:
                found.append(
                    "embedding: gradients of a repeated row are summed before clipping; Keras's "
                    "own optimizers clip each separately"
                )
        return found
