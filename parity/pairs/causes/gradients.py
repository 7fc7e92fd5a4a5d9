"""Causes of different gradients: frozen weights, untrained embedding rows, detached tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from parity.adapters.side import Side
from parity.adapters.trainer import UNOWNED, Batch, Gradients, Key, TorchTrainer, Trainer
from parity.errors import ParityError
from parity.numerics.distance import relative_error
from parity.pairs.allowance import limits, negligible, sizes_of
from parity.verdict.result import UNKNOWN, Cause, Divergence, Proof


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

    def differences(self, actual: Gradients) -> dict[tuple[Key, Key], float]:
        """Relative error of each weight's gradient, in Keras's order.

        inf if only one side has a gradient; 0 if neither has one or both are rounding errors.
        """
        null = negligible(sizes_of(self.expected), sizes_of(actual), self.keys)
        found = {}
        for key, torch_key in self.keys:
            if key in null or (key not in self.expected and torch_key not in actual):
                found[key, torch_key] = 0.0
            elif key not in self.expected or torch_key not in actual:
                found[key, torch_key] = float("inf")
            else:
                found[key, torch_key] = relative_error(self.expected[key], actual[torch_key])
        return found

    def causes(self, divergences: Sequence[Divergence]) -> list[Cause]:
        """Why gradients differ: frozen weights, untrained embedding rows, or detached tensors.

        Args:
            divergences: the gradients that differ, from the loss back; at least one.
        """
        observed = {(one.keras_layer or "", one.tensor): one.observed for one in divergences}
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
        errors, limit_of = self.differences(actual), limits(self.torch, self.t, self.batch)
        for key, torch_key in reversed(frozen):
            after = errors[key, torch_key]
            states = ("frozen", "trained") if self.k.frozen(key) else ("trained", "frozen")
            name = "layer.trainable" if after <= limit_of(torch_key, after) else UNKNOWN
            proof = Proof(observed[key], after)
            cause = Cause(name, key[0], states[0], states[1], proof, "gradients")
            found.setdefault((name, key[0]), cause)
        return list(found.values())

    def _padding_rows(self, actual: Gradients) -> list[Cause]:
        """Embeddings of which PyTorch trains all rows except one."""
        found, limit_of = [], limits(self.torch, self.t, self.batch)
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
            before = relative_error(k, t)
            rows = np.flatnonzero(k.any(-1) & ~t.any(-1))
            if len(rows) != 1 or before <= limit_of(torch_key, before):
                continue
            kept = np.arange(len(k)) != rows[0]
            after = relative_error(k[kept], t[kept])
            if after <= limit_of(torch_key, after):
                states = "every row trains", f"padding_idx={rows[0]}"
                proof = Proof(before, after)
                found.append(Cause("embedding.padding_idx", key[0], *states, proof, "gradients"))
        return found

    def _detached(
        self, pairs: Sequence[tuple[Key, Key]], divergences: Sequence[Divergence]
    ) -> Cause:
        """A tensor that PyTorch's forward pass detaches; unknown if that is not the cause."""
        first = divergences[0]
        name, before = first.keras_layer or "", max(one.observed for one in divergences)
        options = replace(self.batch.torch_options, through_detach=True)
        batch = replace(self.batch, torch_options=options)
        try:
            _, actual = self.t.gradients(batch, 0)
            errors, limit_of = self.differences(actual), limits(self.torch, self.t, batch)
            residual = {pair[1]: errors[pair] for pair in pairs}
            known = all(one <= limit_of(torch_key, one) for torch_key, one in residual.items())
        except (RuntimeError, ParityError):  # some models change detached tensors in place
            known = False
        if known:
            proof = Proof(before, max(residual.values()))
            return Cause("gradient.detached", name, "passes", "detached", proof, "gradients")
        proof = Proof(first.observed, first.observed)
        return Cause(UNKNOWN, name, first.tensor, first.tensor, proof, "gradients")
