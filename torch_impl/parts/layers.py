"""Layers of the classifiers that PyTorch lacks, or that follow Keras where PyTorch differs."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from parity.constants import as_float32
from parity.specs.cnn import CnnSpec, same_padding
from parity.specs.feed_forward import FeedForwardSpec
from parity.specs.rnn import RnnSpec
from parity.specs.softmax import SoftmaxSpec

Masks = dict[str, Tensor] | None
"""Keep masks or random numbers by the name of the layer that uses them."""


class SharedDropout(nn.Module):
    """PyTorch's own dropout, or with a given keep mask: x·keep/(1 − rate) in training mode.

    Source: Srivastava et al., "Dropout", 2014. ``spatial`` drops whole channels of images, as
    ``nn.Dropout2d`` does, where the mask is (N, C, 1, 1).
    """

    def __init__(self, rate: float, spatial: bool = False) -> None:
        super().__init__()
        self.rate = rate
        self.spatial = spatial
        self.scale = 1.0 / (1.0 - rate)

    def forward(self, x: Tensor, keep: Tensor | None = None) -> Tensor:
        """Map x (N, …) and keep (bool, broadcastable to x) to x's shape and dtype."""
        if keep is None or not self.training:
            return (F.dropout2d if self.spatial else F.dropout)(x, self.rate, self.training)
        return x * self.scale * keep.to(x.dtype)


class SameConv2d(nn.Conv2d):
    """``nn.Conv2d`` with TensorFlow's 'same': an odd zero is added at the bottom and right."""

    def forward(self, x: Tensor) -> Tensor:
        """Map x (N, C, H, W) to (N, out, ⌈H/stride⌉, ⌈W/stride⌉)."""
        (kernel, _), (stride, _) = self.kernel_size, self.stride
        top, bottom = same_padding(x.shape[2], kernel, stride)
        left, right = same_padding(x.shape[3], kernel, stride)
        if top == bottom and left == right:
            return F.conv2d(x, self.weight, self.bias, self.stride, (top, left))
        x = F.pad(x, (left, right, top, bottom))
        return F.conv2d(x, self.weight, self.bias, self.stride)


class BatchNorm2d(nn.BatchNorm2d):
    """``nn.BatchNorm2d`` with a choice of the batch variance that updates the running one.

    ``unbiased=True`` follows PyTorch and Keras 2's fused float32 kernel, ``False`` Keras 3. Unlike
    ``nn.BatchNorm2d``, it accepts a single value per channel (as TensorFlow does). In float64 it
    computes the formula directly: PyTorch's kernel adds values one by one, which costs three digits
    on 64 images with a constant background (1e-13 instead of 1e-16).
    Source: Ioffe and Szegedy, "Batch normalization", 2015, algorithm 1.
    """

    def __init__(self, channels: int, eps: float, momentum: float, unbiased: bool) -> None:
        super().__init__(channels, eps=eps, momentum=momentum)
        self.unbiased = unbiased

    def forward(self, x: Tensor) -> Tensor:
        """Normalise x (N, C, H, W) over all axes except the channels."""
        if not self.training:
            return super().forward(x)
        count = x.numel() // x.shape[1]
        if x.dtype == torch.float64:
            mean = x.mean((0, 2, 3), keepdim=True)
            variance = (x - mean).square().mean((0, 2, 3), keepdim=True)
            gain = self.weight[:, None, None] * torch.rsqrt(variance + self.eps)
            y = (x - mean) * gain + self.bias[:, None, None]
            biased = variance.detach().flatten()
        else:
            mean, variance = torch.zeros_like(self.running_mean), torch.zeros_like(self.running_var)
            y = torch.batch_norm(
                x, self.weight, self.bias, mean, variance, True, 1.0, self.eps, x.is_cuda
            )
            biased = variance * ((count - 1) / count) if count > 1 else torch.zeros_like(variance)
        with torch.no_grad():
            fed = biased * (count / max(count - 1, 1)) if self.unbiased else biased
            self.running_mean.lerp_(mean.flatten(), self.momentum)
            self.running_var.lerp_(fed, self.momentum)
        return y


def batch_norm(spec: CnnSpec, channels: int) -> BatchNorm2d:
    """Batch normalisation with the spec's values; PyTorch's momentum weights the new value."""
    return BatchNorm2d(
        channels,
        eps=as_float32(spec.batch_norm_epsilon),
        momentum=spec.torch_momentum,
        unbiased=spec.flavour == "tf_keras",
    )


def layer_norm(spec: SoftmaxSpec, units: int) -> nn.LayerNorm:
    """Layer normalisation over the last axis, of ``units`` entries, with the spec's ε.

    Source: Ba et al., "Layer normalization", 2016, equations 3 and 4 with ε under the root.
    """
    epsilon = as_float32(spec.layer_norm_epsilon)
    return nn.LayerNorm(units, eps=epsilon, elementwise_affine=True, bias=True)


class GELU(nn.Module):
    """Exact GELU with Keras's constant: ½·x·erfc(−x·√½), the root rounded to float32.

    ``nn.GELU`` has the root in full, which in float64 leaves 5e-9.
    Source: Hendrycks and Gimpel, 2016; ``tf.nn.gelu``, which casts the root through float32.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map x, of any shape, elementwise."""
        return 0.5 * x * torch.erfc(-x * as_float32(math.sqrt(0.5)))


def activation(spec: FeedForwardSpec) -> nn.Module:
    """The spec's activation layer.

    Keras rounds the constants of leaky relu and gelu to float32, also in float64; so do these.
    """
    if spec.activation == "relu":
        return nn.ReLU()
    if spec.activation == "leaky_relu":
        return nn.LeakyReLU(as_float32(spec.negative_slope))
    return GELU() if spec.activation == "gelu" else nn.Tanh()


def pool(spec: CnnSpec) -> nn.Module:
    """2×2 pooling: (N, C, H, W) to (N, C, H/2, W/2); 'same' rounds up.

    With 'same' an odd last row or column forms its own window, without padding: PyTorch's
    ``ceil_mode``.
    """
    same = spec.pool_padding == "same"
    if spec.pool == "max":
        return nn.MaxPool2d(2, stride=2, padding=0, ceil_mode=same)
    return nn.AvgPool2d(2, stride=2, padding=0, ceil_mode=same, count_include_pad=False)


class Flatten(nn.Module):
    """Flatten images in Keras's order H, W, C, so that Keras's dense kernels fit."""

    def forward(self, x: Tensor) -> Tensor:
        """Map x (N, C, H, W) to (N, H·W·C)."""
        return x.permute(0, 2, 3, 1).flatten(1)


class TokenEmbedding(nn.Embedding):
    """Quantise values from 0 to 1 to tokens, and map each token to a trained vector.

    The token is rint(x·(tokens − 1)), limited to 0 … tokens − 1 and computed in float32, the dtype
    of the data, so that it does not depend on the model's dtype. Row 0 is trained like the others.
    """

    def __init__(self, spec: RnnSpec) -> None:
        super().__init__(spec.tokens, spec.embedding, padding_idx=None)
        self.highest = float(spec.tokens - 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (N, T, 1) to (N, T, embedding)."""
        levels = torch.round(x[..., 0].float() * self.highest)  # half to even, (N, T)
        return super().forward(levels.clamp(0.0, self.highest).long())


class ResetBeforeGRU(nn.Module):
    """GRU with the reset gate before the recurrent product, which ``nn.GRU`` does not support.

    With gates r, z, n in PyTorch's order and one bias b:
    r, z = σ(W x + b + U h); n = tanh(Wₙ x + bₙ + Uₙ (r ∘ h)); h' = z ∘ h + (1 − z) ∘ n.
    Source: Cho et al., 2014; ``GRU(reset_after=False)`` in Keras. The parameters are named and
    shaped as ``nn.GRU``'s: weight_ih (3·units, in), weight_hh (3·units, units), bias_ih (3·units,).
    """

    def __init__(self, into: int, units: int, bidirectional: bool) -> None:
        super().__init__()
        self.units = units
        self.suffixes = ("_l0", "_l0_reverse") if bidirectional else ("_l0",)
        for suffix in self.suffixes:
            self.register_parameter(
                f"weight_ih{suffix}", nn.Parameter(torch.empty(3 * units, into))
            )
            self.register_parameter(
                f"weight_hh{suffix}", nn.Parameter(torch.empty(3 * units, units))
            )
            self.register_parameter(f"bias_ih{suffix}", nn.Parameter(torch.empty(3 * units)))

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Map x (N, T, in) to all outputs (N, T, runs·units) and the last (runs, N, units).

        Beyond a sequence's length the state does not change.
        """
        runs = [self._run(x, lengths, suffix) for suffix in self.suffixes]
        return torch.cat([run[0] for run in runs], 2), torch.stack([run[1] for run in runs])

    def _run(self, x: Tensor, lengths: Tensor | None, suffix: str) -> tuple[Tensor, Tensor]:
        weight = getattr(self, f"weight_hh{suffix}")
        gates = F.linear(x, getattr(self, f"weight_ih{suffix}"), getattr(self, f"bias_ih{suffix}"))
        h = x.new_zeros(x.shape[0], self.units)
        steps = range(x.shape[1])
        outputs = [h] * x.shape[1]
        for step in reversed(steps) if suffix.endswith("reverse") else steps:
            into_r, into_z, into_n = gates[:, step].chunk(3, 1)
            from_r, from_z = F.linear(h, weight[: 2 * self.units]).chunk(2, 1)
            r, z = torch.sigmoid(into_r + from_r), torch.sigmoid(into_z + from_z)
            n = torch.tanh(into_n + F.linear(r * h, weight[2 * self.units :]))
            new = z * h + (1.0 - z) * n
            h = new if lengths is None else torch.where((step < lengths)[:, None], new, h)
            outputs[step] = h
        return torch.stack(outputs, 1), h


class Recurrent(nn.Module):
    """One recurrent layer, masked by lengths: its output at each step, or at the last valid one.

    The last output of a bidirectional layer combines the forward output at the last valid step with
    the backward output at the first step. If Keras has one bias, PyTorch's second is frozen at
    zero.
    """

    def __init__(self, spec: RnnSpec, number: int) -> None:
        super().__init__()
        into = spec.features if number == 1 else spec.width
        self.every_step = number < spec.recurrent_layers
        self.own = spec.cell == "gru" and not spec.reset_after
        if self.own:
            self.rnn = ResetBeforeGRU(into, spec.units, spec.bidirectional)
            return
        kind = {"simple": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[spec.cell]
        self.rnn = kind(into, spec.units, batch_first=True, bidirectional=spec.bidirectional)
        if spec.cell != "gru":
            for name, parameter in self.rnn.named_parameters():
                if name.startswith("bias_hh"):
                    nn.init.zeros_(parameter)
                    parameter.requires_grad_(False)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Map x (N, T, in) with lengths (N,) to (N, T, width); the last layer to (N, width)."""
        if self.own:
            outputs, last = self.rnn(x, None if lengths is None else lengths.to(x.device))
        else:
            fed = x if lengths is None else _packed(x, lengths)
            outputs, state = self.rnn(fed)
            last = state[0] if isinstance(state, tuple) else state
        if not self.every_step:
            return torch.cat(tuple(last), 1)
        if isinstance(outputs, PackedSequence):
            outputs, _ = pad_packed_sequence(outputs, batch_first=True, total_length=x.shape[1])
        return outputs


def _packed(x: Tensor, lengths: Tensor) -> PackedSequence:
    return pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)


def output_activation(head: str, output: str) -> nn.Module:
    """The layer after the logits: identity, or the head's softmax or sigmoid."""
    if output == "logits":
        return nn.Identity()
    return nn.Sigmoid() if head == "sigmoid" else nn.Softmax(dim=-1)
