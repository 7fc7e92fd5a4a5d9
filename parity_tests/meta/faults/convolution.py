"""Faults of convolutions, of pooling, and of the order in which images are flattened."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

import torch_impl.parts.layers
from parity_tests.meta.planting import Case, adjusted, forward_of, twin, wrapped


def symmetric(original: object, size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Pad equally on both sides, like PyTorch."""
    return (kernel // 2, kernel // 2 - (1 if kernel % 2 == 0 else 0))


def dilated(conv: nn.Module, x: Tensor) -> Tensor:
    return F.conv2d(x, conv.weight, conv.bias, padding=2, dilation=2)


def in_groups(conv: nn.Module, x: Tensor) -> Tensor:
    half = conv.weight.shape[1] // 2
    return F.conv2d(x, conv.weight[:, :half], conv.bias, padding=1, groups=2)


def flipped(conv: nn.Module, x: Tensor) -> Tensor:
    """Flip the kernel; both frameworks compute a correlation and do not."""
    return F.conv2d(x, conv.weight.flip(2, 3), conv.bias, padding=1)


def transposed(conv: nn.Module, x: Tensor) -> Tensor:
    return F.conv2d(x, conv.weight.transpose(2, 3), conv.bias, padding=1)


def padded_with_zero(pool: nn.Module, x: Tensor) -> Tensor:
    return F.max_pool2d(F.pad(x, (0, 1, 0, 1)), 2, stride=2)


def counting_padding(pool: nn.Module, x: Tensor) -> Tensor:
    return F.avg_pool2d(F.pad(x, (0, 1, 0, 1)), 2, stride=2)


def channels_first(flatten: nn.Module, x: Tensor) -> Tensor:
    return x.flatten(1)


PLAIN = ("cnn", "plain-c1-k3-s1-n8")
CNN = ("cnn", "bn-c1-k3-s1-n8")
BOTH = (Case(*CNN, "conv_1"), Case(*PLAIN, "conv_1"))

FAULTS = [
    *twin("conv.same_padding", "forward_eval",
          wrapped(torch_impl.parts.layers, "same_padding", symmetric),
          (Case("cnn", "plain-c1-k3-s2-n8", "conv_1"), Case("cnn", "bn-c3-k5-s2-n8", "conv_1"))),
    *twin("conv.dilation", "forward_eval", forward_of("conv.0", dilated), BOTH),
    *twin("conv.groups", "forward_eval", forward_of("conv.1", in_groups),
          (Case(*CNN, "conv_2"), Case(*PLAIN, "conv_2"))),
    *twin("conv.kernel_flipped", "forward_eval", forward_of("conv.0", flipped), BOTH),
    *twin("conv.kernel_transposed", "forward_eval", forward_of("conv.0", transposed), BOTH),
    *twin("pool.max_padded_with_zero", "forward_eval", forward_of("pool.0", padded_with_zero),
          (Case("cnn", "max_same", "pool_1"),)),
    *twin("pool.average_counts_padding", "forward_eval", forward_of("pool.0", counting_padding),
          (Case("cnn", "average_same", "pool_1"),)),
    *twin("pool.average_for_max", "forward_eval",
          adjusted(lambda model: model.pool.__setitem__(0, nn.AvgPool2d(2))),
          (Case(*CNN, "pool_1"), Case(*PLAIN, "pool_1"))),
    *twin("flatten.order", "forward_eval", forward_of("flatten", channels_first),
          (Case(*CNN, "flatten"), Case(*PLAIN, "flatten"))),
]  # fmt: skip
