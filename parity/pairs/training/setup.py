"""A pair that is about to be trained: both sides with what they shall be trained with."""

from __future__ import annotations

from typing import Any

from parity.adapters.calls import Run
from parity.adapters.side import Side
from parity.adapters.trainer import LOOSE, Batch, KerasTrainer, Key, TorchTrainer
from parity.errors import ParityError
from parity.pairs.align import unowned_parameters
from parity.pairs.align.match import Alignment


def trainers(
    keras: Side, torch: Side, loss: Any, optimizer: Any, seed: int
) -> tuple[KerasTrainer, TorchTrainer]:
    """Both sides' models with their losses and optimizers.

    Args: as of :func:`parity.pairs.training.session.train_findings`.

    Raises:
        ParityError: an argument cannot be used.
    """
    own_loss, other_loss = _two(loss, "loss")
    own_rule, other_rule = _two(optimizer, "optimizer")
    k: KerasTrainer = keras.trainer(own_loss, own_rule, seed, keras.flavour)
    if other_loss is None:
        other_loss = k.loss_settings
        k.shared = True
        if other_loss is None:
            raise ParityError(
                f"loss: received {own_loss!r}, accepted: a name, a loss of Keras's own, or two: "
                "(Keras's, PyTorch's)"
            )
    if own_rule is not None and other_rule is None:
        other_rule = k.spec
        if other_rule is None:
            raise ParityError(
                f"optimizer: received {own_rule!r}, accepted: a name, an optimizer of Keras's own "
                "with a constant rate or a schedule of Keras's own, or two: (Keras's, PyTorch's)"
            )
    t: TorchTrainer = torch.trainer(other_loss, other_rule, seed, keras.flavour)
    t.schedule = k.schedule if other_rule is k.spec else None
    return k, t


def count_in(
    keras: Side, torch: Side, k: KerasTrainer, t: TorchTrainer, alignment: Alignment
) -> list[tuple[Key, Key]]:
    """Have both trainers count in what no layer holds and both sides have.

    Returns:
        The keys that they have now, Keras's and PyTorch's.
    """
    held = unowned_parameters.partners(
        keras.loose([one.name for one, _ in alignment.pairs]),
        torch.loose([one.name for _, one in alignment.pairs]),
    )
    k.count_in([own for own, _ in held])
    t.count_in([theirs for _, theirs in held])
    return [((own, LOOSE), (theirs, LOOSE)) for own, theirs in held]


def refuse_targets(k: KerasTrainer, batch: Batch, run: Run) -> None:
    """Refuse another number of targets than a loss that both share takes.

    Raises:
        ParityError: there are more or fewer than outputs.
    """
    outputs = len(run.outputs)
    if k.shared and outputs != len(batch.targets):
        raise ParityError(
            f"targets: received {len(batch.targets)}, accepted: {outputs}, one for each output"
        )


def _two(given: Any, name: str) -> tuple[Any, Any]:
    if not isinstance(given, (tuple, list)):
        return given, None
    if len(given) != 2:
        raise ParityError(f"{name}: received {len(given)}, accepted: one, or Keras's and PyTorch's")
    return given[0], given[1]
