"""What every model spec has: input, head, initialisers, and the canonical tables they give."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from parity.constants import FLAVOURS
from parity.errors import ParityError
from parity.options import Checked, option
from parity.reference.initializers import INITIALIZERS

PENALTIES = {
    "l1": 0.002,
    "l2": 0.01,
    "bias_l1": 0.01,
    "bias_l2": 0.1,
    "activity_l1": 0.01,
    "activity_l2": 0.02,
}
"""Every penalty at once, each of its own size, for variants of the models."""


@dataclass(frozen=True)
class Parameter:
    """One row of the canonical parameter table.

    ``shape`` is Keras's layout (dense in×out, conv HWIO, gates i,f,c,o and z,r,h). ``fans`` are the
    (fan_in, fan_out) that initialisers scale by; a bias carries its kernel's.
    """

    name: str
    shape: tuple[int, ...]
    initializer: str
    fans: tuple[int, int]
    trainable: bool = True

    @property
    def size(self) -> int:
        """Number of entries."""
        size = 1
        for length in self.shape:
            size *= length
        return size


@dataclass(frozen=True)
class Layer:
    """A named layer of the forward pass; ``shape`` is its output's without the batch axis."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Draw:
    """What a layer draws for each example while training, of ``shape``.

    ``kind``: ``mask``, true with probability 1 − ``rate``, or float32 numbers: ``normal``, standard
    normal ones, or ``uniform``, from 0 to below 1.
    """

    kind: str
    shape: tuple[int, ...]
    rate: float = 0.0

    @property
    def dtype(self) -> str:
        """NumPy's name, whatever the run's dtype."""
        return "bool" if self.kind == "mask" else "float32"


@dataclass(frozen=True, kw_only=True)
class ModelSpec(Checked, ABC):
    """Everything about a classifier but its training. Subclasses add the layers' own numbers.

    ``input_shape`` is channels-last without the batch: (H, W, C) for images, (T, D) for sequences.
    """

    family: ClassVar[str]
    default_dataset: ClassVar[str]

    input_shape: tuple[int, ...] = option(
        help="shape of one input, channels last",
        flag=False,
        kind=int,
        many=True,
        minimum=1,
        empty=False,
    )
    classes: int = option(help="number of classes in the data", flag=False, kind=int, minimum=2)
    head: str = option(
        "softmax",
        help="softmax: one unit per class; sigmoid: one unit, binary cross-entropy",
        kind=str,
        choices=("softmax", "sigmoid"),
    )
    output: str = option(
        "logits",
        help="what the model returns and the loss is computed on",
        kind=str,
        choices=("logits", "probabilities"),
    )
    kernel_initializer: str = option(
        "glorot_uniform", help="initial kernels", kind=str, choices=INITIALIZERS
    )
    bias_initializer: str = option("zeros", help="initial biases", kind=str, choices=INITIALIZERS)
    l1: float = option(
        0.0, help="penalty on the sum of every kernel's absolute values", kind=float, minimum=0
    )
    l2: float = option(
        0.0, help="penalty on the sum of every kernel's squares", kind=float, minimum=0
    )
    bias_l1: float = option(
        0.0, help="penalty on the sum of every bias's absolute values", kind=float, minimum=0
    )
    bias_l2: float = option(
        0.0, help="penalty on the sum of every bias's squares", kind=float, minimum=0
    )
    activity_l1: float = option(
        0.0,
        help="penalty on the absolute values that every dense layer and convolution returns, "
        "summed for an example, averaged over the batch",
        kind=float,
        minimum=0,
    )
    activity_l2: float = option(
        0.0, help="likewise on the squares of what they return", kind=float, minimum=0
    )
    max_norm: float = option(
        0.0,
        help="most that the norm of the weights into a unit may be after a step, recurrent kernels "
        "excepted; 0: any",
        kind=float,
        minimum=0,
    )
    non_negative: bool = option(
        False,
        help="no kernel has a weight below zero after a step, recurrent kernels excepted",
        kind=bool,
    )
    flavour: str = option(
        "tf_keras",
        help="the Keras whose formulas hold where Keras 2 and Keras 3 part",
        kind=str,
        choices=FLAVOURS,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.head == "sigmoid" and self.classes != 2:
            raise ParityError(f"classes: received {self.classes} with head 'sigmoid', accepted: 2")
        if self.max_norm and self.non_negative:
            raise ParityError(
                f"constraints: received max_norm {self.max_norm:g} and non_negative, "
                "accepted: one of them"
            )
        self.layers()  # shapes that cannot be built are refused here, not in a framework

    @property
    def outputs(self) -> int:
        """Width of the last dense layer: one unit for a sigmoid head, else one per class."""
        return 1 if self.head == "sigmoid" else self.classes

    @classmethod
    def shape_for(
        cls, shape: tuple[int, ...], name: str, fields: Mapping[str, Any]
    ) -> tuple[int, ...]:
        """Input shape of this model for examples of ``shape`` from data set ``name``.

        Args:
            shape: of one example, channels last.
            name: the data set's, for the error line.
            fields: the model's own fields, as far as they are given.

        Raises:
            ParityError: this family cannot take such examples.
        """
        return shape

    @abstractmethod
    def parameters(self) -> tuple[Parameter, ...]:
        """The canonical table: every parameter and buffer, in the order of the forward pass."""

    @abstractmethod
    def layers(self) -> tuple[Layer, ...]:
        """Every named layer with its output shape, in the order of the forward pass."""

    def draws(self) -> dict[str, Draw]:
        """Layers that need random numbers while training: name to what they draw."""
        return {}

    @classmethod
    @abstractmethod
    def variants(cls) -> Mapping[str, Mapping[str, Any]]:
        """Named sets of fields that the parity suite must hold for, ``input_shape`` included."""

    def dense(self, name: str, fan_in: int, units: int) -> Iterator[Parameter]:
        """Table rows of a dense layer."""
        fans = (fan_in, units)
        yield Parameter(f"{name}/kernel", fans, self.kernel_initializer, fans)
        yield Parameter(f"{name}/bias", (units,), self.bias_initializer, fans)

    def head_parameters(self, fan_in: int) -> Iterator[Parameter]:
        """Table rows of the dense layer that every classifier ends with."""
        yield from self.dense("logits", fan_in, self.outputs)

    def head_layers(self) -> Iterator[Layer]:
        """Layers that every classifier ends with."""
        yield Layer("logits", (self.outputs,))
        if self.output == "probabilities":
            yield Layer("probabilities", (self.outputs,))
