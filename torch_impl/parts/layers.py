"""Layers that the classifiers need and PyTorch lacks, or that follow Keras where PyTorch parts."""

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
"""Keep masks, or random numbers, by the name of the layer that takes them."""


class SharedDropout(nn.Module):
    """Dropout by a keep mask from outside: x·keep/(1 − rate) while training, x otherwise.

    Source: Srivastava et al., "Dropout", 2014, in the form of ``torch.nn.Dropout``.
    A mask of shape (N, C, 1, 1) drops whole channels, as ``nn.Dropout2d`` does.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.scale = 1.0 / (1.0 - rate)

    def forward(self, x: Tensor, keep: Tensor | None = None) -> Tensor:
        """Map x (N, …) with keep, bool and broadcastable to x, to x's shape and dtype.

        Raises:
            ValueError: there is no mask while training.
        """
        if not self.training or self.rate == 0.0:
            return x
        if keep is None:
            raise ValueError("keep: received None while training, accepted: a bool mask")
        return x * self.scale * keep.to(x.dtype)


class SameConv2d(nn.Conv2d):
    """``nn.Conv2d`` with TensorFlow's 'same': an odd zero goes to the bottom and right."""

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
    """``nn.BatchNorm2d`` that says which batch variance feeds the running one.

    ``unbiased=True`` is PyTorch's way and that of Keras 2's fused float32 kernel, ``False`` is
    Keras 3's. Unlike PyTorch's own, it takes a single value per channel (as TensorFlow does).
    In float64 it computes from the formula: PyTorch's kernel adds one value after the other, and on
    64 images with a constant background that alone costs three digits (1e-13 for 1e-16).
    Source: Ioffe and Szegedy, "Batch normalization", 2015, algorithm 1.
    """

    def __init__(self, channels: int, eps: float, momentum: float, unbiased: bool) -> None:
        super().__init__(channels, eps=eps, momentum=momentum)
        self.unbiased = unbiased

    def forward(self, x: Tensor) -> Tensor:
        """Normalise x (N, C, H, W) over all but its channels."""
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
    """Batch normalisation with the spec's numbers; PyTorch's momentum is the share of the new."""
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
    """The spec's activation, elementwise.

    In float64 too, Keras takes the constants of leaky relu and gelu through float32; so these do.
    """
    if spec.activation == "relu":
        return nn.ReLU()
    if spec.activation == "leaky_relu":
        return nn.LeakyReLU(as_float32(spec.negative_slope))
    return GELU() if spec.activation == "gelu" else nn.Tanh()


def pool(spec: CnnSpec) -> nn.Module:
    """A 2×2 pool: (N, C, H, W) to (N, C, H/2, W/2), rounded down, or up for 'same'.

    An odd last row or column is a window of its own in 'same', and nothing beside it is counted;
    PyTorch calls that ``ceil_mode``.
    """
    same = spec.pool_padding == "same"
    if spec.pool == "max":
        return nn.MaxPool2d(2, stride=2, padding=0, ceil_mode=same)
    return nn.AvgPool2d(2, stride=2, padding=0, ceil_mode=same, count_include_pad=False)


class Flatten(nn.Module):
    """Images to vectors in the order H, W, C, which is Keras's: its dense kernels fit."""

    def forward(self, x: Tensor) -> Tensor:
        """Map x (N, C, H, W) to (N, H·W·C)."""
        return x.permute(0, 2, 3, 1).flatten(1)


class TokenEmbedding(nn.Embedding):
    """Values from 0 to 1 as whole numbers, and a trained vector for each of these.

    The number is rint(x·(tokens − 1)) within 0 … tokens − 1, in float32 whatever the dtype: that is
    what the data are in, and no token may hang on it. Row 0 is a row like the others.
    """

    def __init__(self, spec: RnnSpec) -> None:
        super().__init__(spec.tokens, spec.embedding, padding_idx=None)
        self.highest = float(spec.tokens - 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (N, T, 1) to (N, T, embedding)."""
        levels = torch.round(x[..., 0].float() * self.highest)  # half to even, (N, T)
        return super().forward(levels.clamp(0.0, self.highest).long())


class ResetBeforeGRU(nn.Module):
    """GRU whose reset gate acts before the recurrent product, which ``nn.GRU`` cannot do.

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

        Beyond a sequence's length the state stands still.
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
            moved = z * h + (1.0 - z) * n
            h = moved if lengths is None else torch.where((step < lengths)[:, None], moved, h)
            outputs[step] = h
        return torch.stack(outputs, 1), h


class Recurrent(nn.Module):
    """One recurrent layer, masked by lengths: its output at each step, or at the last valid one.

    The last output of a bidirectional layer is the forward run's at the last valid step beside the
    backward run's at the first step. Where Keras has one bias, PyTorch's second stays zero, frozen.
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
    """What stands behind the logits: nothing, or the head's softmax or sigmoid."""
    if output == "logits":
        return nn.Identity()
    return nn.Sigmoid() if head == "sigmoid" else nn.Softmax(dim=-1)
