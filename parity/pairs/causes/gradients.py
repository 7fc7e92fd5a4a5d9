"""Why gradients of a pair part: what is frozen, rows that do not train, what is detached."""

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
    """Keras's gradients, and PyTorch's model that shall have the same.

    Attributes:
        torch: the PyTorch side, its weights as they are compared.
        k, t: the two trainers.
        batch: that the gradients are of.
        keys: weights that both have.
        own: Keras's gradients.
    """

    torch: Side
    k: Trainer
    t: TorchTrainer
    batch: Batch
    keys: Sequence[tuple[Key, Key]]
    own: Gradients

    def apart(self, other: Gradients) -> dict[tuple[Key, Key], float]:
        """How far each weight's two gradients stand apart, in Keras's order.

        inf where only one side has it, 0 where neither has or both are rounding.
        """
        null = negligible(sizes_of(self.own), sizes_of(other), self.keys)
        found = {}
        for key, theirs in self.keys:
            if key in null or (key not in self.own and theirs not in other):
                found[key, theirs] = 0.0
            elif key not in self.own or theirs not in other:
                found[key, theirs] = float("inf")
            else:
                found[key, theirs] = relative_error(self.own[key], other[theirs])
        return found

    def causes(self, parted: Sequence[Divergence]) -> list[Cause]:
        """Why gradients part: what is frozen, rows that do not train, what is detached.

        Args:
            parted: the gradients that do, from the loss backwards; at least one.
        """
        observed = {(one.keras_layer or "", one.tensor): one.observed for one in parted}
        pairs = [pair for pair in self.keys if pair[0] in observed]
        frozen = [pair for pair in pairs if self.k.frozen(pair[0]) != self.t.frozen(pair[1])]
        for key, theirs in frozen:
            self.t.freeze(theirs, self.k.frozen(key))
        _, other = self.t.gradients(self.batch, 0)
        found = self._frozen(frozen, observed, other)
        if not frozen:
            found = self._padding_rows(other) or [self._detached(pairs, parted)]
        return found

    def _frozen(
        self,
        frozen: Sequence[tuple[Key, Key]],
        observed: Mapping[Key, float],
        other: Gradients,
    ) -> list[Cause]:
        """Weights that one side trained, and PyTorch's now does as Keras's."""
        found: dict[tuple[str, str], Cause] = {}
        apart, limit_of = self.apart(other), limits(self.torch, self.t, self.batch)
        for key, theirs in reversed(frozen):
            after = apart[key, theirs]
            states = ("frozen", "trained") if self.k.frozen(key) else ("trained", "frozen")
            name = "layer.trainable" if after <= limit_of(theirs, after) else UNKNOWN
            proof = Proof(observed[key], after)
            cause = Cause(name, key[0], states[0], states[1], proof, "gradients")
            found.setdefault((name, key[0]), cause)
        return list(found.values())

    def _padding_rows(self, other: Gradients) -> list[Cause]:
        """Embeddings of which PyTorch trains all rows but one."""
        found, limit_of = [], limits(self.torch, self.t, self.batch)
        for key, theirs in self.keys:
            if key[1] not in ("embeddings", UNOWNED) or key not in self.own or theirs not in other:
                continue
            k, t = self.own[key], other[theirs]
            if k.ndim != 2:
                continue
            before = relative_error(k, t)
            rows = np.flatnonzero(k.any(-1) & ~t.any(-1))
            if len(rows) != 1 or before <= limit_of(theirs, before):
                continue
            kept = np.arange(len(k)) != rows[0]
            after = relative_error(k[kept], t[kept])
            if after <= limit_of(theirs, after):
                states = "every row trains", f"padding_idx={rows[0]}"
                proof = Proof(before, after)
                found.append(Cause("embedding.padding_idx", key[0], *states, proof, "gradients"))
        return found

    def _detached(self, pairs: Sequence[tuple[Key, Key]], parted: Sequence[Divergence]) -> Cause:
        """What PyTorch's forward pass holds back; unknown where that does not explain it."""
        first = parted[0]
        name, before = first.keras_layer or "", max(one.observed for one in parted)
        options = replace(self.batch.torch_options, through_detach=True)
        batch = replace(self.batch, torch_options=options)
        try:
            _, other = self.t.gradients(batch, 0)
            apart, limit_of = self.apart(other), limits(self.torch, self.t, batch)
            left = {pair[1]: apart[pair] for pair in pairs}
            known = all(away <= limit_of(theirs, away) for theirs, away in left.items())
        except (RuntimeError, ParityError):  # it writes where nothing may be written then
            known = False
        if known:
            proof = Proof(before, max(left.values()))
            return Cause("gradient.detached", name, "passes", "detached", proof, "gradients")
        proof = Proof(first.observed, first.observed)
        return Cause(UNKNOWN, name, first.tensor, first.tensor, proof, "gradients")
