"""Faults of dense layers and activations, and of tensors in the wrong place."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from parity_tests.meta.planting import (
    Case,
    Plant,
    adjusted,
    around,
    every,
    forward_of,
    loaded_with,
    twin,
    wrapped,
)
from torch_impl.ladder.training import TorchModel


def torch_default(kernel: np.ndarray) -> np.ndarray:
    """PyTorch's default initial values: U(±1/√fan_in)."""
    bound = 1 / math.sqrt(kernel[..., 0].size)
    return np.random.default_rng(0).uniform(-bound, bound, kernel.shape)


def reported(name: str, change: Callable[[dict], object]) -> Plant:
    """Add a tensor to those that the model reports, or remove one."""

    def report(original: Callable[..., dict], self: TorchModel) -> dict:
        weights = original(self)
        change(weights)
        return weights

    return wrapped(TorchModel, name, report)


def swapped(first: str, second: str) -> Plant:
    """Exchange two layers of equal shape."""

    def change(model: nn.Module) -> None:
        a, b = model.get_submodule(first), model.get_submodule(second)
        a.forward, b.forward = b.forward, a.forward

    return adjusted(change)


def without_bias(module: nn.Module, x: Tensor) -> Tensor:
    bias, module.bias = module.bias, None
    try:
        return type(module).forward(module, x)
    finally:
        module.bias = bias


def frozen(path: str) -> Plant:
    return adjusted(lambda model: model.get_parameter(path).requires_grad_(False))


def first_is_nan(forward: Callable[..., Tensor], *args: object) -> Tensor:
    out = forward(*args).clone()
    out.view(-1)[0] = math.nan
    return out


def half(forward: Callable[..., Tensor], x: Tensor) -> Tensor:
    return forward(x.half().to(x.dtype))


def half_of_float32(forward: Callable[..., Tensor], x: Tensor) -> Tensor:
    return half(forward, x) if x.dtype == torch.float32 else forward(x)


def detached(forward: Callable[..., Tensor], x: Tensor) -> Tensor:
    """Detach a layer's input, which no forward value shows."""
    return forward(x.detach())


MLP = ("softmax", "hidden_32_16-logits")
DROPOUT = ("dropout", "rate_0.5")
CNN = ("cnn", "bn-c1-k3-s1-n8")
PLAIN = ("cnn", "plain-c1-k3-s1-n8")
LSTM = ("rnn", "lstm-1-uni-fixed")

DENSE = (Case(*MLP, "dense_1"), Case(*DROPOUT, "dense_1"))
PROBABILITIES = (
    Case("softmax", "hidden_32_16-probabilities", "probabilities"),
    Case("dropout", "probabilities", "probabilities"),
    Case("cnn", "probabilities", "probabilities"),
    Case("rnn", "probabilities", "probabilities"),
)
LOGITS = (
    Case(*MLP, "logits"),
    Case(*DROPOUT, "logits"),
    Case(*PLAIN, "logits"),
    Case(*LSTM, "logits"),
)

FAULTS = [
    *twin("dense.initial_kernel", "parameters",
          loaded_with("dense_1/kernel", torch_default), DENSE),
    *twin("conv.initial_kernel", "parameters",
          loaded_with("conv_1/kernel", torch_default), (Case(*CNN, "conv_1"),)),
    *twin("rnn.initial_kernel", "parameters",
          loaded_with("rnn_1/kernel", torch_default), (Case(*LSTM, "rnn_1"),)),
    *twin("dense.initial_bias", "parameters", loaded_with("logits/bias", np.zeros_like), LOGITS),
    *twin("dense.transposed_square_kernel", "forward_eval",
          forward_of("dense.1", lambda layer, x: F.linear(x, layer.weight.T, layer.bias)),
          (Case("softmax", "square", "dense_2"),)),
    *twin("layers.swapped", "forward_eval", swapped("dense.1", "dense.2"),
          (Case("softmax", "square", "dense_2"),)),
    *twin("layers.swapped_convolutions", "forward_eval", swapped("conv.1", "conv.2"),
          (Case("cnn", "equal_channels", "conv_2"),)),
    *twin("dense.missing_bias", "forward_eval", forward_of("logits", without_bias), LOGITS),
    *twin("conv.missing_bias", "forward_eval", forward_of("conv.0", without_bias),
          (Case(*CNN, "conv_1"), Case(*PLAIN, "conv_1"))),
    *twin("parameter.frozen", "parameters", frozen("logits.bias"), LOGITS),
    *twin("tensor.missing", "parameters",
          reported("weights", lambda weights: weights.pop("logits/bias")), LOGITS),
    *twin("tensor.extra", "parameters",
          reported("weights", lambda weights: weights.update({"logits/scale": np.ones(10)})),
          LOGITS),
    *twin("activation.wrong", "forward_eval",
          adjusted(lambda model: model.dense_activation.__setitem__(0, nn.ELU())),
          (Case(*MLP, "dense_activation_1"), Case(*DROPOUT, "dense_activation_1"),
           Case("cnn", "gelu", "dense_activation_1"))),
    *twin("activation.wrong_in_a_block", "forward_eval",
          adjusted(lambda model: model.activation.__setitem__(0, nn.SiLU())),
          (Case(*CNN, "activation_1"), Case("cnn", "max_same", "activation_1"))),
    *twin("activation.leaky_slope", "forward_eval", every(nn.LeakyReLU, negative_slope=0.01),
          (Case("softmax", "leaky_relu", "dense_activation_1"),
           Case("cnn", "max_same", "activation_1"))),
    *twin("activation.gelu_tanh", "forward_eval",
          adjusted(lambda model: model.dense_activation.__setitem__(0, nn.GELU("tanh"))),
          (Case("softmax", "gelu", "dense_activation_1"),
           Case("dropout", "gelu", "dense_activation_1"),
           Case("cnn", "gelu", "dense_activation_1"))),
    *twin("softmax.axis", "forward_eval", every(nn.Softmax, dim=0), PROBABILITIES),
    *twin("softmax.twice", "forward_eval",
          around("probabilities", lambda forward, x: forward(forward(x))), PROBABILITIES),
    *twin("gradient.detached", "gradients", around("logits", detached), LOGITS),
    *twin("value.nan", "forward_eval", around("logits", first_is_nan), LOGITS),
    *twin("value.float16", "forward_eval", around("logits", half), LOGITS),
    *twin("value.float16_in_float32", "forward_eval", around("logits", half_of_float32),
          LOGITS[:1], dtype="float32"),
]  # fmt: skip
