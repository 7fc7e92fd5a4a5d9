"""The trainers of a pair: both models with their losses and optimizers."""

from __future__ import annotations

from typing import Any

from parity.adapters.calls import Run
from parity.adapters.side import Side
from parity.adapters.trainer import UNOWNED, Batch, KerasTrainer, Key, TorchTrainer
from parity.errors import ParityError
from parity.pairs.align import unowned_parameters
from parity.pairs.align.match import Alignment
from parity.pairs.forward.setup import Pair


def trainers(
    keras: Side, torch: Side, loss: Any, optimizer: Any, seed: int
) -> tuple[KerasTrainer, TorchTrainer]:
    """Give both models their losses and optimizers.

    Args:
        keras: the Keras model, which has run.
        torch: the PyTorch model, likewise.
        loss: see :func:`parity.pairs.check.check`.
        optimizer: likewise; None: no steps.
        seed: of the shared random numbers.

    Raises:
        ParityError: an argument cannot be used.
    """
    keras_loss, torch_loss = _two(loss, "loss")
    keras_optimizer, torch_optimizer = _two(optimizer, "optimizer")
    shared = torch_loss is None
    k: KerasTrainer = keras.trainer(
        keras_loss, keras_optimizer, seed, keras.flavour, shared_loss=shared
    )
    if shared:
        torch_loss = k.loss_settings
        if torch_loss is None:
            raise ParityError(
                f"loss: received {keras_loss!r}, accepted: a name, a loss of Keras's own, or two: "
                "(Keras's, PyTorch's)"
            )
    schedule = None
    if keras_optimizer is not None and torch_optimizer is None:
        torch_optimizer, schedule = k.spec, k.schedule
        if torch_optimizer is None:
            raise ParityError(
                f"optimizer: received {keras_optimizer!r}, accepted: a name, an optimizer of "
                "Keras's own with a constant rate or a schedule of Keras's own, or two: (Keras's, "
                "PyTorch's)"
            )
    t: TorchTrainer = torch.trainer(
        torch_loss, torch_optimizer, seed, keras.flavour, schedule=schedule
    )
    return k, t


def count_in(
    pair: Pair, k: KerasTrainer, t: TorchTrainer, alignment: Alignment
) -> list[tuple[Key, Key]]:
    """Make both trainers include unowned parameters that both models have.

    Returns:
        Their keys, Keras's and PyTorch's, and those of weights of other names or shapes.
    """
    keras, torch, transfers = pair.keras, pair.torch, pair.transferred.transfers
    pairs = unowned_parameters.partners(
        keras.unowned_parameters([one.name for one, _ in alignment.pairs]),
        torch.unowned_parameters([one.name for _, one in alignment.pairs]),
    )
    keys = [((first, UNOWNED), (second, UNOWNED)) for first, second in pairs]
    every = [*keys, *((one.keras, one.torch) for one in transfers)]
    k.count_in([key[0] for key, _ in every if key[1] == UNOWNED])
    t.count_in([key[0] for _, key in every if key[1] == UNOWNED])
    t.regroup(transfers)
    return [*keys, *((one.keras, one.part) for one in transfers)]


def refuse_targets(k: KerasTrainer, batch: Batch, run: Run) -> None:
    """Refuse a number of targets that a shared loss cannot take.

    Raises:
        ParityError: there are more or fewer than outputs.
    """
    outputs = len(run.outputs)
    if k.shared_loss and outputs != len(batch.targets):
        raise ParityError(
            f"targets: received {len(batch.targets)}, accepted: {outputs}, one for each output"
        )


def _two(argument: Any, name: str) -> tuple[Any, Any]:
    if not isinstance(argument, (tuple, list)):
        return argument, None
    if len(argument) != 2:
        raise ParityError(
            f"{name}: received {len(argument)}, accepted: one, or Keras's and PyTorch's"
        )
    return argument[0], argument[1]
