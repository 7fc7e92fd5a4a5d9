"""ModelSpec, the base class of model specs, and the rows of its parameter and layer tables."""

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
"""Every penalty at once, each with its own factor, for variants of the models."""


@dataclass(frozen=True)
class Parameter:
    """One row of the canonical parameter table.

    Attributes:
        name: canonical name, such as ``dense_1/kernel``.
        shape: in Keras's layout (dense in×out, conv HWIO, gates i,f,c,o and z,r,h).
        initializer: a name in :data:`parity.reference.initializers.INITIALIZERS`.
        fans: (fan_in, fan_out) that the initializer scales by; a bias has those of its kernel.
        trainable: False for batch norm's running statistics.
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
    """A named layer of the forward pass; ``shape`` is its output's, without the batch axis."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Draw:
    """The random numbers that a layer needs for each example in training.

    Attributes:
        kind: ``mask`` (bool, true with probability 1 − ``rate``), ``normal`` (float32, standard
            normal) or ``uniform`` (float32, in [0, 1)).
        shape: of one example's numbers.
        rate: of a mask, the probability of false.
    """

    kind: str
    shape: tuple[int, ...]
    rate: float = 0.0

    @property
    def dtype(self) -> str:
        """NumPy name of the numbers' dtype, which does not depend on the dtype of the run."""
        return "bool" if self.kind == "mask" else "float32"


@dataclass(frozen=True, kw_only=True)
class ModelSpec(Checked, ABC):
    """The architecture of a classifier; each model family is a subclass with its own fields.

    ``input_shape`` is channels-last, without the batch axis: (H, W, C) for images, (T, D) for
    sequences.
    """

    family: ClassVar[str]
    default_dataset: ClassVar[str]

    input_shape: tuple[int, ...] = option(
        help="shape of one input, channels-last",
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
        help="penalty on the absolute outputs of every dense layer and convolution, summed over an "
        "example and averaged over the batch",
        kind=float,
        minimum=0,
    )
    activity_l2: float = option(
        0.0, help="the same penalty on the squares of the outputs", kind=float, minimum=0
    )
    max_norm: float = option(
        0.0,
        help="largest norm of the weights into a unit after each step, except in recurrent "
        "kernels; 0: no limit",
        kind=float,
        minimum=0,
    )
    non_negative: bool = option(
        False,
        help="set negative weights of every kernel but the recurrent ones to zero after each step",
        kind=bool,
    )
    flavour: str = option(
        "tf_keras",
        help="Keras version whose formulas apply where Keras 2 and Keras 3 differ",
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
        self.layers()  # raises for shapes that cannot be built, before a framework does

    @property
    def outputs(self) -> int:
        """Units of the last dense layer: one for a sigmoid head, else one per class."""
        return 1 if self.head == "sigmoid" else self.classes

    @classmethod
    def shape_for(
        cls, shape: tuple[int, ...], name: str, fields: Mapping[str, Any]
    ) -> tuple[int, ...]:
        """Return the ``input_shape`` of this model for a data set.

        Args:
            shape: shape of one example, channels-last.
            name: name of the data set, for error messages.
            fields: values of the model's own fields that are not left at their defaults.

        Raises:
            ParityError: this family does not accept such examples.
        """
        return shape

    @abstractmethod
    def parameters(self) -> tuple[Parameter, ...]:
        """Return every parameter and buffer, in the order of the forward pass."""

    @abstractmethod
    def layers(self) -> tuple[Layer, ...]:
        """Return every named layer with its output shape, in the order of the forward pass."""

    def draws(self) -> dict[str, Draw]:
        """Return the random numbers that layers need in training, by layer name."""
        return {}

    @classmethod
    @abstractmethod
    def variants(cls) -> Mapping[str, Mapping[str, Any]]:
        """Return the fields of each variant that the tests cover, by variant name."""

    def dense(self, name: str, fan_in: int, units: int) -> Iterator[Parameter]:
        """Yield the parameters of a dense layer."""
        fans = (fan_in, units)
        yield Parameter(f"{name}/kernel", fans, self.kernel_initializer, fans)
        yield Parameter(f"{name}/bias", (units,), self.bias_initializer, fans)

    def head_parameters(self, fan_in: int) -> Iterator[Parameter]:
        """Yield the parameters of the dense layer that every classifier ends with."""
        yield from self.dense("logits", fan_in, self.outputs)

    def head_layers(self) -> Iterator[Layer]:
        """Yield the layers that every classifier ends with."""
        yield Layer("logits", (self.outputs,))
        if self.output == "probabilities":
            yield Layer("probabilities", (self.outputs,))
