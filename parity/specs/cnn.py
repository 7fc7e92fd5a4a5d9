"""Convolutional classifier: [conv → batch norm → activation → pool → dropout] … → dense."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from parity.constants import as_float32
from parity.errors import ParityError
from parity.options import option
from parity.specs.base import PENALTIES, Draw, Layer, Parameter
from parity.specs.feed_forward import FeedForwardSpec

AUGMENTED_BY = ("horizontal", "vertical", "rotation", "down", "right", "zoom", "contrast")
"""What each of the uniform numbers that are drawn for an image decides."""

CONTRAST_RANGE = (0.0, 255.0)
"""What contrast is clipped to: Keras 2's only range, and Keras 3's usual one."""


@dataclass(frozen=True, kw_only=True)
class CnnSpec(FeedForwardSpec):
    """Blocks of k×k 'same' convolutions, each halved by a 2×2 pool, then dense layers."""

    family: ClassVar[str] = "cnn"
    default_dataset: ClassVar[str] = "fashion_mnist"

    channels: tuple[int, ...] = option(
        (16, 32), help="output channels of each block", kind=int, many=True, minimum=1, empty=False
    )
    kernel_size: int = option(3, help="height and width of the kernels", kind=int, minimum=1)
    stride: int = option(1, help="stride of the convolutions", kind=int, minimum=1)
    batch_norm: bool = option(True, help="normalise before each activation", kind=bool)
    batch_norm_epsilon: float = option(
        1e-3, help="added to the variance before the root", kind=float, above=0
    )
    batch_norm_momentum: float = option(
        0.99, help="share of the running statistics kept per step", kind=float, minimum=0, below=1
    )
    pool: str = option(
        "max",
        help="what the pools take of each 2x2 window",
        kind=str,
        choices=("max", "average"),
    )
    pool_padding: str = option(
        "valid",
        help="valid: an odd last row and column are dropped; same: they are windows of their own",
        kind=str,
        choices=("valid", "same"),
    )
    spatial_rate: float = option(
        0.1, help="share of channels dropped while training", kind=float, minimum=0, below=1
    )
    flip: str = option(
        "none",
        help="which way half of the images are mirrored while training; both: with Keras 2 each "
        "way by itself, with Keras 3 both ways or none",
        kind=str,
        choices=("none", "horizontal", "vertical", "both"),
    )
    rotation: float = option(
        0.0,
        help="share of a full turn by which images are turned at most while training",
        kind=float,
        minimum=0,
    )
    shift: float = option(
        0.0,
        help="share of an image's height and width by which it is moved at most while training",
        kind=float,
        minimum=0,
        maximum=1,
    )
    zoom: float = option(
        0.0,
        help="share by which what is seen of an image grows or shrinks at most while training",
        kind=float,
        minimum=0,
        below=1,
    )
    contrast: float = option(
        0.0,
        help="share by which an image's contrast grows or shrinks at most while training",
        kind=float,
        minimum=0,
        maximum=1,
    )
    hidden: tuple[int, ...] = option(
        (64,), help="widths of the hidden layers", kind=int, many=True, minimum=1
    )

    @classmethod
    def shape_for(
        cls, shape: tuple[int, ...], name: str, fields: Mapping[str, Any]
    ) -> tuple[int, ...]:
        """Images as they are; sequences are refused."""
        if len(shape) != 3:
            raise ParityError(
                f"model cnn with dataset {name}: received inputs of shape {shape}, "
                "accepted: images of shape (height, width, channels)"
            )
        return shape

    def blocks(self) -> Iterator[tuple[int, tuple[int, int], tuple[int, int]]]:
        """(channels, size after the convolution, size after the pool) of each block.

        Raises:
            ParityError: the input is no image, or a block leaves nothing of it.
        """
        if len(self.input_shape) != 3:
            raise ParityError(
                f"input_shape: received {self.input_shape}, accepted: (height, width, channels)"
            )
        height, width, _ = self.input_shape
        if self.kernel_size > min(height, width):
            raise ParityError(
                f"kernel_size: received {self.kernel_size}, "
                f"accepted: at most the image's {height}x{width}"
            )
        for number, channels in enumerate(self.channels, 1):
            convolved = (-(-height // self.stride), -(-width // self.stride))
            beyond = 1 if self.pool_padding == "same" else 0
            height, width = (convolved[0] + beyond) // 2, (convolved[1] + beyond) // 2
            if not (height and width):
                raise ParityError(
                    f"channels: received {len(self.channels)} blocks, but block {number} pools "
                    f"{convolved[0]}x{convolved[1]} away; accepted: at most {number - 1} blocks of "
                    f"stride {self.stride} for this image"
                )
            yield channels, convolved, (height, width)

    @property
    def augments(self) -> bool:
        """Whether images are changed at random while training."""
        moves = self.rotation or self.shift or self.zoom or self.contrast
        return self.flip != "none" or bool(moves)

    @property
    def running_share(self) -> float:
        """Share that a batch's statistics have in the new running ones, as the flavour rounds it.

        Both round the momentum to float32; Keras 2 then rounds 1 − momentum once more.
        """
        share = 1.0 - as_float32(self.batch_norm_momentum)
        return as_float32(share) if self.flavour == "tf_keras" else share

    @property
    def flat(self) -> int:
        """Number of features that flatten gives."""
        *_, (channels, _, (height, width)) = self.blocks()
        return height * width * channels

    def parameters(self) -> tuple[Parameter, ...]:
        """Conv kernels HWIO, batch norm's four vectors, dense kernels (in, out), biases."""
        rows: list[Parameter] = []
        area, into = self.kernel_size**2, self.input_shape[-1]
        for number, out in enumerate(self.channels, 1):
            shape, fans = (self.kernel_size, self.kernel_size, into, out), (area * into, area * out)
            rows += (
                Parameter(f"conv_{number}/kernel", shape, self.kernel_initializer, fans),
                Parameter(f"conv_{number}/bias", (out,), self.bias_initializer, fans),
            )
            if self.batch_norm:
                rows += (
                    Parameter(f"batch_norm_{number}/gamma", (out,), "ones", fans),
                    Parameter(f"batch_norm_{number}/beta", (out,), "zeros", fans),
                    Parameter(f"batch_norm_{number}/moving_mean", (out,), "zeros", fans, False),
                    Parameter(f"batch_norm_{number}/moving_variance", (out,), "ones", fans, False),
                )
            into = out
        return (*rows, *self.hidden_parameters(self.flat))

    def layers(self) -> tuple[Layer, ...]:
        """Augmentation, noise, each block's layers, flatten (H, W, C), hidden layers, the head."""
        rows = [Layer("augmentation", self.input_shape)] if self.augments else []
        rows += self.noise_layers(self.input_shape)
        for number, (channels, convolved, pooled) in enumerate(self.blocks(), 1):
            rows.append(Layer(f"conv_{number}", (*convolved, channels)))
            if self.batch_norm:
                rows.append(Layer(f"batch_norm_{number}", (*convolved, channels)))
            rows += (
                Layer(f"activation_{number}", (*convolved, channels)),
                Layer(f"pool_{number}", (*pooled, channels)),
                Layer(f"spatial_dropout_{number}", (*pooled, channels)),
            )
        flat = Layer("flatten", (self.flat,))
        return (*rows, flat, *self.hidden_layers(), *self.head_layers())

    def draws(self) -> dict[str, Draw]:
        """What changes each image, and its noise; a mask entry per channel of each block."""
        numbers = Draw("uniform", (len(AUGMENTED_BY),))
        return {
            **({"augmentation": numbers} if self.augments else {}),
            **self.noise_draws(self.input_shape),
            **{
                f"spatial_dropout_{number}": Draw("mask", (1, 1, channels), self.spatial_rate)
                for number, channels in enumerate(self.channels, 1)
            },
        }

    @classmethod
    def variants(cls) -> Mapping[str, Mapping[str, Any]]:
        """Batch norm × input channels × kernel × stride × size, all of them; then the rest."""
        variants: dict[str, Mapping[str, Any]] = {}
        for batch_norm, into, kernel, stride, size in itertools.product(
            (True, False), (1, 3), (3, 5), (1, 2), (7, 8)
        ):
            name = f"{'bn' if batch_norm else 'plain'}-c{into}-k{kernel}-s{stride}-n{size}"
            variants[name] = {
                "input_shape": (size, size, into),
                "channels": (6, 4) if stride == 1 else (6,),
                "kernel_size": kernel,
                "stride": stride,
                "batch_norm": batch_norm,
                "hidden": (16,),
            }
        small = {"input_shape": (8, 8, 1), "channels": (6, 4), "hidden": ()}
        odd = {**small, "input_shape": (7, 7, 1), "pool_padding": "same"}
        return {
            **variants,
            "oblong": {**small, "input_shape": (6, 9, 3)},
            "one_channel": {**small, "channels": (1,)},
            "low_momentum": {**small, "batch_norm_momentum": 0.2, "batch_norm_epsilon": 1e-5},
            "max_same": {**odd, "activation": "leaky_relu"},
            "average": {**small, "pool": "average"},
            "average_same": {**odd, "pool": "average"},
            "gelu": {**small, "activation": "gelu", "hidden": (16,)},
            "equal_channels": {**odd, "channels": (4, 4, 4)},
            "l2": {**small, "l2": 0.01},
            "noise": {**small, "noise": 0.3},
            "augmented": {
                **small,
                "input_shape": (7, 9, 2),
                "flip": "both",
                "rotation": 0.1,
                "shift": 0.2,
                "zoom": 0.3,
                "contrast": 0.5,
            },
            "flipped": {**small, "flip": "horizontal", "noise": 0.1},
            "penalties": {**small, **PENALTIES},
            "max_norm": {**small, "max_norm": 0.7, "hidden": (16,)},
            "probabilities": {**small, "output": "probabilities"},
            "binary": {**small, "head": "sigmoid", "classes": 2},
            "binary_probabilities": {
                **small,
                "head": "sigmoid",
                "classes": 2,
                "output": "probabilities",
            },
        }


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros that TensorFlow's 'same' puts (before, after) an axis of ``size``.

    With total = max((⌈n/s⌉ − 1)·s + k − n, 0), the odd one goes after. Source: TensorFlow's
    "Notes on padding" in the ``tf.nn`` documentation.
    """
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2
