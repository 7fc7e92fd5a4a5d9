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

AUGMENTATION_DRAWS = ("horizontal", "vertical", "rotation", "down", "right", "zoom", "contrast")
"""What each of an image's uniform random numbers determines, in order."""

CONTRAST_RANGE = (0.0, 255.0)
"""Range that values are clipped to after a change of contrast: Keras 2's, and Keras 3's default."""


@dataclass(frozen=True, kw_only=True)
class CnnSpec(FeedForwardSpec):
    """Blocks of a k×k convolution with 'same' padding and a 2×2 pool, then dense layers."""

    family: ClassVar[str] = "cnn"
    default_dataset: ClassVar[str] = "fashion_mnist"

    channels: tuple[int, ...] = option(
        (16, 32), help="output channels of each block", kind=int, many=True, minimum=1, empty=False
    )
    kernel_size: int = option(3, help="height and width of the kernels", kind=int, minimum=1)
    stride: int = option(1, help="stride of the convolutions", kind=int, minimum=1)
    batch_norm: bool = option(True, help="batch normalisation before each activation", kind=bool)
    batch_norm_epsilon: float = option(
        1e-3, help="added to the variance before the root", kind=float, above=0
    )
    batch_norm_momentum: float = option(
        0.99, help="share of running statistics kept per step", kind=float, minimum=0, below=1
    )
    pool: str = option(
        "max",
        help="pooling of each 2x2 window",
        kind=str,
        choices=("max", "average"),
    )
    pool_padding: str = option(
        "valid",
        help="valid: an odd last row or column is dropped; same: it is pooled by itself",
        kind=str,
        choices=("valid", "same"),
    )
    spatial_rate: float = option(
        0.1, help="share of channels dropped in training", kind=float, minimum=0, below=1
    )
    flip: str = option(
        "none",
        help="direction in which a random half of the images is mirrored in training; both: Keras "
        "2 decides on each direction separately, Keras 3 on both at once",
        kind=str,
        choices=("none", "horizontal", "vertical", "both"),
    )
    rotation: float = option(
        0.0,
        help="largest random rotation in training, as a share of a full turn",
        kind=float,
        minimum=0,
    )
    shift: float = option(
        0.0,
        help="largest random shift in training, as a share of the image's height and width",
        kind=float,
        minimum=0,
        maximum=1,
    )
    zoom: float = option(
        0.0,
        help="largest random change of the image's scale in training, as a share",
        kind=float,
        minimum=0,
        below=1,
    )
    contrast: float = option(
        0.0,
        help="largest random change of the contrast in training, as a share",
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
        """Return the shape of the images; see :meth:`ModelSpec.shape_for`."""
        if len(shape) != 3:
            raise ParityError(
                f"model cnn with dataset {name}: received inputs of shape {shape}, "
                "accepted: images of shape (height, width, channels)"
            )
        return shape

    def blocks(self) -> Iterator[tuple[int, tuple[int, int], tuple[int, int]]]:
        """Yield (channels, size after the convolution, size after the pool) of each block.

        Raises:
            ParityError: the input is not an image, or a block's output would be empty.
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
            odd = 1 if self.pool_padding == "same" else 0
            height, width = (convolved[0] + odd) // 2, (convolved[1] + odd) // 2
            if not (height and width):
                raise ParityError(
                    f"channels: received {len(self.channels)} blocks, of which block {number} "
                    f"pools {convolved[0]}x{convolved[1]} to nothing; accepted: at most "
                    f"{number - 1} blocks of stride {self.stride} for this image"
                )
            yield channels, convolved, (height, width)

    @property
    def augments(self) -> bool:
        """Whether images are changed at random in training."""
        changes = self.rotation or self.shift or self.zoom or self.contrast
        return self.flip != "none" or bool(changes)

    @property
    def torch_momentum(self) -> float:
        """PyTorch's batch norm momentum, 1 − Keras's, rounded as the Keras version rounds it.

        Both versions round Keras's momentum to float32; Keras 2 also rounds the difference.
        """
        momentum = 1.0 - as_float32(self.batch_norm_momentum)
        return as_float32(momentum) if self.flavour == "tf_keras" else momentum

    @property
    def flat(self) -> int:
        """Number of features after flattening."""
        *_, (channels, _, (height, width)) = self.blocks()
        return height * width * channels

    def parameters(self) -> tuple[Parameter, ...]:
        """Return convolution kernels (HWIO), biases, batch norm vectors and the dense layers'."""
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
        """Return augmentation, noise, the layers of each block, flatten, hidden layers and head."""
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
        """Return the numbers of augmentation and noise, and a mask entry per channel of a block."""
        numbers = Draw("uniform", (len(AUGMENTATION_DRAWS),))
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
        """Return batch norm × input channels × kernel × stride × size, then single options."""
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
    """Return the zeros (before, after) that TensorFlow's 'same' padding adds to an axis.

    Their total is max((⌈n/s⌉ − 1)·s + k − n, 0); an odd one is added after. Source: TensorFlow's
    "Notes on padding" in the ``tf.nn`` documentation.

    Args:
        size: n, length of the axis.
        kernel: k, length of the window.
        stride: s.
    """
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2
