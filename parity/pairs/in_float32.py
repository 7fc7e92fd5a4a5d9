"""Both models in float32, which is what their users run: the deviation, and the plain run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from parity.adapters.side import CannotRun
from parity.adapters.trainer import Batch, KerasTrainer, Key, TorchTrainer
from parity.errors import ParityError, describe_error
from parity.numerics import tolerance
from parity.pairs.forward.setup import STAGES, Models, Pair, prepare
from parity.pairs.plain import run as plain
from parity.pairs.plain.run import PlainRun
from parity.pairs.rounding import output_rounding
from parity.pairs.training import float32_gradients
from parity.pairs.training.gradients import sizes_of
from parity.pairs.training.setup import count_in, trainers
from parity.progress import Progress
from parity.verdict.model_pair import ModelPair, Observation
from parity.verdict.result import Check, Float32Deviation, worst


@dataclass(frozen=True)
class InFloat32:
    """What both models give in float32.

    Attributes:
        deviation: of outputs, then of gradients; empty where a model cannot be run in float32.
        plain: both models as their owners run them; None where that is impossible.
    """

    deviation: tuple[Float32Deviation, ...] = ()
    plain: PlainRun | None = None


@dataclass(frozen=True)
class Training:
    """What is trained in float32.

    Attributes:
        batch: of every step.
        loss: see :func:`parity.pairs.check.check`.
        optimizer: likewise; None: no steps.
        steps: of the optimizer.
        seed: of the shared random numbers.
        gradients: whether they are compared.
    """

    batch: Batch
    loss: Any
    optimizer: Any
    steps: int
    seed: int
    gradients: bool


def in_float32(models: Models, training: Training | None, deviation: bool) -> InFloat32:
    """Run both models in float32.

    Args:
        models: what is compared.
        training: what is trained; None: outputs alone.
        deviation: whether to compare the deviation with what rounding explains.
    """
    found: list[Check] = []
    figures = None
    try:
        with Progress("float32", STAGES) as progress:
            pair = prepare(models, "float32", progress)
        figures = PlainRun(plain.outputs(pair))
        if deviation:
            found += _outputs(pair)
        pair.keras_run.forget()
        pair.torch_run.forget()
        if training is not None:
            figures = _trained(pair, training, figures)
        if training is not None and training.gradients:
            args = training.batch, training.loss, training.seed
            found += float32_gradients.compare(models, pair, *args)[0]
    except ParityError:
        pass
    names = dict.fromkeys(one.rung for one in found)
    shown = (worst(one for one in found if one.rung == rung) for rung in names)
    deviations = (Float32Deviation(one.rung, one.observed, one.allowed) for one in shown if one)
    return InFloat32(tuple(deviations), figures)


def _outputs(pair: Pair) -> list[Check]:
    outputs = pair.outputs()
    observed = ModelPair("float32", rounding=output_rounding(pair, outputs))
    return [
        observed.compare(
            Observation("forward_eval", k.name, "output", (k.name, t.name)), k.output, t.output
        )
        for k, t in outputs
    ]


def _trained(pair: Pair, training: Training, figures: PlainRun) -> PlainRun:
    """The plain figures with those of training, where both models can be trained so."""
    k, t = trainers(pair.keras, pair.torch, training.loss, training.optimizer, training.seed)
    unowned = count_in(pair, k, t, pair.alignment)
    keys = [*unowned, *pair.alignment.weights()]
    decayed = training.batch.keras_options.without_penalties
    batch = replace(training.batch, torch_options=_layouts(pair, training.batch))
    try:
        keys = _with_gradients((k, t), batch, keys) if training.steps else keys
        loss, weights, steps, reason = plain.training(pair, (k, t), batch, keys, training.steps)
    except ParityError as error:
        return replace(figures, reason=str(error))
    shown = None if decayed else loss  # with penalties in Keras's alone
    return replace(figures, loss=shown, weights=weights, steps=steps, reason=reason)


def _with_gradients(
    trainers: tuple[KerasTrainer, TorchTrainer], batch: Batch, keys: Sequence[tuple[Key, Key]]
) -> list[tuple[Key, Key]]:
    """Weights that train by more than rounding, which an optimizer such as Adam amplifies."""
    sizes = []
    for trainer in trainers:
        try:
            sizes.append(sizes_of(trainer.gradients(batch, 0)[1]))
        except Exception as error:
            raise CannotRun(f"its gradients cannot be computed: {describe_error(error)}") from error
        finally:
            trainer.start()
    share = tolerance.NULL_GRADIENT_FLOAT32
    limits = [share * max(one.values(), default=0.0) for one in sizes]
    return [
        pair
        for pair in keys
        if all(pair[side] not in sizes[side] for side in (0, 1))
        or any(sizes[side].get(pair[side], 0.0) > limits[side] for side in (0, 1))
    ]


def _layouts(pair: Pair, batch: Batch) -> Any:
    """The options with which PyTorch's loss gets outputs in the layout of Keras's."""
    expected, run = pair.keras.plain(pair.inputs), pair.torch.plain(pair.inputs, pair.torch_inputs)
    shapes = tuple(
        expected.native_layout.get(name, value).shape for name, value in expected.outputs.items()
    )
    return replace(batch.torch_options, native_layout=run.native_in(expected), keras_shapes=shapes)
