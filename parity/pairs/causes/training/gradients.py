"""Causes of different gradients: frozen weights, untrained embedding rows, detached tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from parity.adapters.side import Side
from parity.adapters.trainer import UNOWNED, Batch, Gradients, Key, TorchTrainer, Trainer
from parity.errors import ParityError
from parity.pairs.rounding import gradient_rounding
from parity.pairs.training.gradients import observation, sizes_of
from parity.verdict.model_pair import ModelPair
from parity.verdict.null_gradients import negligible
from parity.verdict.result import UNKNOWN, Cause, Check, Proof


@dataclass
class Backwards:
    """Keras's gradients, and the PyTorch model whose gradients are compared with them.

    Attributes:
        torch: the PyTorch side, with the weights that are compared.
        k, t: the two trainers.
        batch: the batch of the gradients.
        keys: the weights that both models have.
        expected: Keras's gradients.
    """

    torch: Side
    k: Trainer
    t: TorchTrainer
    batch: Batch
    keys: Sequence[tuple[Key, Key]]
    expected: Gradients

    def _checks(self, actual: Gradients, batch: Batch) -> dict[tuple[Key, Key], Check]:
        """The check of each weight's gradient, except of null gradients, in Keras's order."""
        null = negligible(sizes_of(self.expected), sizes_of(actual), self.keys)
        rounding = gradient_rounding(self.t, batch, self.keys)
        observed = ModelPair("float64", rounding=rounding)
        return {
            (key, other): observed.compare(
                observation(key, other), self.expected.get(key), actual.get(other)
            )
            for key, other in self.keys
            if key not in null and (key in self.expected or other in actual)
        }

    def causes(self, divergences: Sequence[Check]) -> list[Cause]:
        """Why gradients differ: frozen weights, untrained embedding rows, or detached tensors.

        Args:
            divergences: the gradients that differ, from the loss back; at least one.
        """
        by_name = {"/".join(key): key for key, _ in self.keys}
        observed = {by_name[one.tensor]: one.observed for one in divergences}
        pairs = [pair for pair in self.keys if pair[0] in observed]
        frozen = [pair for pair in pairs if self.k.frozen(pair[0]) != self.t.frozen(pair[1])]
        for key, torch_key in frozen:
            self.t.freeze(torch_key, self.k.frozen(key))
        _, actual = self.t.gradients(self.batch, 0)
        found = self._frozen(frozen, observed, actual)
        if not frozen:
            found = self._padding_rows(actual) or [self._detached(pairs, divergences)]
        return found

    def _frozen(
        self,
        frozen: Sequence[tuple[Key, Key]],
        observed: Mapping[Key, float],
        actual: Gradients,
    ) -> list[Cause]:
        """Weights that only one side trains, with the gradients after PyTorch follows Keras."""
        found: dict[tuple[str, str], Cause] = {}
        checks = self._checks(actual, self.batch)
        for key, torch_key in reversed(frozen):
            check = checks.get((key, torch_key))
            after = check.observed if check else 0.0
            states = ("frozen", "trained") if self.k.frozen(key) else ("trained", "frozen")
            name = "layer.trainable" if check is None or check.ok else UNKNOWN
            proof = Proof(observed[key], after)
            cause = Cause(name, key[0], states[0], states[1], proof, "gradients")
            found.setdefault((name, key[0]), cause)
        return list(found.values())

    def _padding_rows(self, actual: Gradients) -> list[Cause]:
        """Embeddings of which PyTorch trains all rows except one."""
        found = []
        rounding = gradient_rounding(self.t, self.batch, self.keys)
        observed = ModelPair("float64", rounding=rounding)
        for key, torch_key in self.keys:
            if (
                key[1] not in ("embeddings", UNOWNED)
                or key not in self.expected
                or torch_key not in actual
            ):
                continue
            k, t = self.expected[key], actual[torch_key]
            if k.ndim != 2:
                continue
            before = observed.compare(observation(key, torch_key), k, t)
            rows = np.flatnonzero(k.any(-1) & ~t.any(-1))
            if len(rows) != 1 or before.ok:
                continue
            kept = np.arange(len(k)) != rows[0]
            after = observed.compare(observation(key, torch_key), k[kept], t[kept])
            if after.ok:
                states = "every row trains", f"padding_idx={rows[0]}"
                proof = Proof(before.observed, after.observed)
                found.append(Cause("embedding.padding_idx", key[0], *states, proof, "gradients"))
        return found

    def _detached(self, pairs: Sequence[tuple[Key, Key]], divergences: Sequence[Check]) -> Cause:
        """A tensor that PyTorch's forward pass detaches; unknown if that is not the cause."""
        first = divergences[0]
        name, before = first.keras_layer or "", max(one.observed for one in divergences)
        options = replace(self.batch.torch_options, through_detach=True)
        batch = replace(self.batch, torch_options=options)
        try:
            _, actual = self.t.gradients(batch, 0)
            checks = self._checks(actual, batch)
            residual = [checks[pair] for pair in pairs if pair in checks]
            known = all(one.ok for one in residual)
        except (RuntimeError, ParityError):  # some models change detached tensors in place
            known = False
        if known:
            proof = Proof(before, max((one.observed for one in residual), default=0.0))
            return Cause("gradient.detached", name, "passes", "detached", proof, "gradients")
        proof = Proof(first.observed, first.observed)
        return Cause(UNKNOWN, name, first.tensor, first.tensor, proof, "gradients")
