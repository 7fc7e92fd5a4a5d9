"""The ladder can fail: faults planted in the PyTorch twin are found at their rung and layer."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import torch_impl.layers
import torch_impl.losses
import torch_impl.models.softmax
import torch_impl.optimizers
import torch_impl.training
import torch_impl.weights
from parity import ladder, record
from parity.backend import Backend
from parity.batches import Chunk
from parity.constants import DTYPES
from parity_tests import cases
from torch_impl.models.cnn import CnnClassifier
from torch_impl.training import TorchModel

Plant = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Fault:
    """A small edit of the twin, the model it is planted in, and where it must first show."""

    name: str
    family: str
    variant: str
    optimizer: str
    plant: Plant
    rung: str
    layer: str
    dtype: str = "float64"


def adjusted(change: Callable[[nn.Module], None]) -> Plant:
    """Change the finished network before its first use."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        build = TorchModel.__init__

        def built(self: TorchModel, model: nn.Module, *args: object) -> None:
            change(model)
            build(self, model, *args)

        patch.setattr(TorchModel, "__init__", built)

    return plant


def replaced(owner: object, name: str, value: object) -> Plant:
    """Put another function or constant in place of the twin's."""
    return lambda patch: patch.setattr(owner, name, value)


def wrapped(owner: object, name: str, wrap: Callable[..., object]) -> Plant:
    """``wrap(original, *args)`` runs instead of the original."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        original = getattr(owner, name)
        patch.setattr(owner, name, lambda *args, **kwargs: wrap(original, *args, **kwargs))

    return plant


def every(kind: type[nn.Module], **attributes: object) -> Plant:
    """Set attributes on every module of a kind."""

    def change(model: nn.Module) -> None:
        for module in model.modules():
            if isinstance(module, kind):
                for name, value in attributes.items():
                    setattr(module, name, value)

    return adjusted(change)


def chw_flatten(original: Callable[..., Tensor], self: CnnClassifier, x: Tensor, **kwargs: object):
    """Run the model with its flatten in channel order."""
    flatten = self.flatten.forward
    self.flatten.forward = lambda x: flatten(x.permute(0, 3, 1, 2))
    try:
        return original(self, x, **kwargs)
    finally:
        del self.flatten.forward


def symmetric(original: Callable[..., object], size: int, kernel: int, stride: int):
    """PyTorch's own padding: the same on both sides."""
    return (kernel // 2, kernel // 2 - (1 if kernel % 2 == 0 else 0))


def statistics_of_evaluation(original: Callable[..., Tensor], self: nn.Module, x: Tensor) -> Tensor:
    training, self.training = self.training, False
    try:
        return original(self, x)
    finally:
        self.training = training


def without_mask(
    original: Callable[..., Tensor], self: nn.Module, x: Tensor, lengths: Tensor
) -> Tensor:
    """Ignore the mask."""
    return original(self, x, None)


def backward_at_the_end(
    original: Callable[..., Tensor], self: nn.Module, x: Tensor, lengths: Tensor | None
) -> Tensor:
    """Take the backward run at the last step, where it has seen one input only."""
    outputs, _ = self.rnn(x)
    return outputs[:, -1]


def both_biases_train(model: nn.Module) -> None:
    for parameter in model.parameters():
        parameter.requires_grad_(True)


def masks_of_other_rows(original: Callable[..., object], self: TorchModel, chunk: Chunk):
    keep = {name: mask.copy() for name, mask in chunk.keep.items()}
    for mask in keep.values():
        mask[:] = mask[:, ::-1]
    return original(self, dataclasses.replace(chunk, keep=keep))


def shuffled(original: Callable[..., object], self: TorchModel, chunk: Chunk):
    """Swap two examples between the first two batches."""
    order = chunk.order.copy()
    if chunk.steps > 1:
        order[0, 0], order[1, 0] = order[1, 0], order[0, 0]
    return original(self, dataclasses.replace(chunk, order=order))


def torch_adam(spec, params):
    values = spec.constants()
    betas = (values["beta_1"], values["beta_2"])
    optimizer = torch.optim.Adam(
        params, lr=values["learning_rate"], betas=betas, eps=values["epsilon"]
    )
    return optimizer


def adam_slots(optimizer, spec):
    state = [optimizer.state[param] for param in optimizer.param_groups[0]["params"]]
    return {"m": [s["exp_avg"] for s in state], "v": [s["exp_avg_sq"] for s in state]}


def torch_optimizer(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(torch_impl.training, "optimizer_for", torch_adam)
    patch.setattr(torch_impl.training, "slots", adam_slots)


def rate_scaled(factor: float, original: Callable[..., object], spec, params):
    scaled = dataclasses.replace(spec, learning_rate=spec.learning_rate * factor)
    return original(scaled, params)


def other_bessel(patch: pytest.MonkeyPatch) -> None:
    """Feed the running variance with the variance that the flavour does not."""

    def change(model: nn.Module) -> None:
        for norm in model.batch_norm:
            norm.unbiased = not norm.unbiased

    adjusted(change)(patch)


CNN = ("cnn", "bn-c1-k3-s1-n8")
DIGITS_RNN = "1-uni-fixed"


def detached(original: Callable[..., Tensor], self: nn.Module, x: Tensor, **kwargs: object):
    """Cut the graph before the last layer, where forward values do not show it."""
    logits = self.logits.forward
    self.logits.forward = lambda x: logits(x.detach())
    try:
        return original(self, x, **kwargs)
    finally:
        del self.logits.forward


def in_training_mode(original: Callable[..., object], self: TorchModel, examples: object):
    """Predict with the batch's statistics."""
    evaluate, self.model.eval = self.model.eval, lambda: self.model.train()
    dropouts = [m for m in self.model.modules() if isinstance(m, torch_impl.layers.SharedDropout)]
    for dropout in dropouts:
        dropout.forward = lambda x, keep=None: x
    try:
        return original(self, examples)
    finally:
        self.model.eval = evaluate
        for dropout in dropouts:
            del dropout.forward


def half_precision(original: Callable[..., Tensor], self: nn.Module, x: Tensor, *args: object):
    """Round to float16 on the way, in float32 alone."""
    return original(self, x.half().float() if x.dtype == torch.float32 else x, *args)


FAULTS = [
    Fault("batch_norm.epsilon", *CNN, "adam", every(nn.BatchNorm2d, eps=1e-5),
          "forward_eval", "batch_norm_1"),
    Fault("batch_norm.momentum", *CNN, "adam", every(nn.BatchNorm2d, momentum=0.1),
          "step", "batch_norm_1"),
    Fault("batch_norm.bessel", *CNN, "adam", other_bessel,
          "step", "batch_norm_1"),
    Fault("batch_norm.evaluates", *CNN, "adam",
          wrapped(torch_impl.layers.BatchNorm2d, "forward", statistics_of_evaluation),
          "forward_train", "batch_norm_1"),
    Fault("conv.same_padding", "cnn", "plain-c1-k3-s2-n8", "sgd",
          wrapped(torch_impl.layers, "same_padding", symmetric), "forward_eval", "conv_1"),
    Fault("conv.kernel_transposed", *CNN, "sgd",
          adjusted(lambda model: setattr(
              model.conv[0], "forward",
              lambda x, conv=model.conv[0]: nn.functional.conv2d(
                  x, conv.weight.transpose(2, 3), conv.bias, padding=1))),
          "forward_eval", "conv_1"),
    Fault("flatten.order", *CNN, "sgd", wrapped(CnnClassifier, "forward", chw_flatten),
          "forward_eval", "flatten"),
    Fault("pool.average", *CNN, "sgd",
          adjusted(lambda model: model.max_pool.__setitem__(0, nn.AvgPool2d(2))),
          "forward_eval", "max_pool_1"),
    Fault("dense.activation", "softmax", "hidden_128-logits", "sgd",
          adjusted(lambda model: model.dense_relu.__setitem__(0, nn.LeakyReLU(0.01))),
          "forward_eval", "dense_relu_1"),
    Fault("softmax.axis", "softmax", "regression-probabilities", "sgd",
          every(nn.Softmax, dim=0), "forward_eval", "probabilities"),
    Fault("dropout.not_rescaled", "dropout", "rate_0.5", "sgd",
          every(torch_impl.layers.SharedDropout, scale=1.0), "forward_train", "dropout_1"),
    Fault("dropout.mask_of_another_row", "dropout", "rate_0.5", "sgd",
          wrapped(TorchModel, "train", masks_of_other_rows), "step", "dense_1"),
    Fault("gru.gates", "rnn", f"gru_after-{DIGITS_RNN}", "sgd",
          replaced(torch_impl.weights, "_swapped", lambda value: value), "forward_eval", "rnn_1"),
    Fault("lstm.both_biases_train", "rnn", f"lstm-{DIGITS_RNN}", "momentum",
          adjusted(both_biases_train), "parameters", "number of parameters"),
    Fault("rnn.mask_ignored", "rnn", "gru_after-1-uni-variable", "sgd",
          wrapped(torch_impl.layers.Recurrent, "forward", without_mask), "forward_eval", "rnn_1"),
    Fault("rnn.backward_at_the_end", "rnn", "gru_after-1-bi-fixed", "sgd",
          wrapped(torch_impl.layers.Recurrent, "forward", backward_at_the_end),
          "forward_eval", "rnn_1"),
    Fault("loss.sum", "softmax", "regression-logits", "sgd",
          replaced(torch_impl.losses.F, "cross_entropy",
                   functools.partial(nn.functional.cross_entropy, reduction="sum")),
          "loss", "loss"),
    Fault("loss.label_smoothing", "softmax", "regression-logits", "sgd",
          replaced(torch_impl.losses.F, "cross_entropy",
                   functools.partial(nn.functional.cross_entropy, label_smoothing=1e-4)),
          "loss", "loss"),
    Fault("adam.epsilon_placement", "softmax", "hidden_128-logits", "adam", torch_optimizer,
          "step", "dense_1"),
    Fault("optimizer.rate_off_by_1e-6", "softmax", "hidden_128-logits", "adam",
          wrapped(torch_impl.training, "optimizer_for",
                  functools.partial(rate_scaled, 1.0 + 1e-6)), "step", "dense_1"),
    Fault("nesterov.off", "softmax", "hidden_128-logits", "nesterov",
          wrapped(torch_impl.optimizers.KerasSGD, "__init__",
                  lambda original, *args, nesterov=False, **kwargs: original(*args, **kwargs)),
          "step", "dense_1"),
    Fault("init.bias_left_at_zero", "softmax", "hidden_128-logits", "sgd",
          wrapped(TorchModel, "set_weights", lambda original, self, weights: original(
              self, {**weights, "dense_1/bias": 0 * weights["dense_1/bias"]})),
          "parameters", "dense_1/bias"),
    Fault("gradient.detached", "softmax", "hidden_128-logits", "sgd",
          wrapped(torch_impl.models.softmax.SoftmaxClassifier, "forward", detached),
          "gradients", "dense_1"),
    Fault("predict.in_training_mode", *CNN, "sgd",
          wrapped(TorchModel, "outputs", in_training_mode), "predictions", "outputs"),
    Fault("float16.in_between", "softmax", "hidden_128-logits", "sgd",
          wrapped(nn.Linear, "forward", half_precision), "forward_eval", "logits", "float32"),
    Fault("data.order", "softmax", "hidden_128-logits", "sgd",
          wrapped(TorchModel, "train", shuffled), "steps", "dense_1"),
    Fault("data.scale", "softmax", "hidden_128-logits", "sgd",
          wrapped(TorchModel, "_tensor", lambda original, self, x: original(
              self, x * (255 / 256) if x.ndim == 4 else x)), "forward_eval", "flatten"),
]  # fmt: skip


@pytest.mark.flavour
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_fault_is_found_at_its_rung_and_layer(
    fault: Fault,
    flavour: str,
    monkeypatch: pytest.MonkeyPatch,
    keras_backend: Backend,
    torch_backend: Backend,
    tmp_path: Path,
) -> None:
    """The first divergence names the planted fault's dtype, rung and layer."""
    spec = cases.spec_of(fault.family, fault.variant, fault.optimizer, flavour=flavour)
    dtypes = DTYPES if fault.dtype == "float32" else ("float64",)
    k = cases.record_of(keras_backend, spec, tmp_path / "k", dtypes)
    fault.plant(monkeypatch)
    t = cases.record_of(torch_backend, spec, tmp_path / "t", dtypes)
    with record.read(k) as a, record.read(t) as b:
        comparison = ladder.compare(a, b)
    assert not comparison.same
    first = comparison.failed[0]
    assert (first.dtype, first.rung) == (fault.dtype, fault.rung), first
    assert fault.layer in first.tensor, first


def test_faults_have_names_of_their_own() -> None:
    """No fault hides behind another's name."""
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
