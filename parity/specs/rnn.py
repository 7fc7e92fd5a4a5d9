"""Recurrent classifier: (masked) sequence → recurrent(units) × layers → dense(classes)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from parity.errors import ParityError
from parity.initializers import INITIALIZERS
from parity.options import option
from parity.specs.base import Layer, ModelSpec, Parameter

GATES = {"simple": 1, "lstm": 4, "gru": 3}
"""Gates per cell, in Keras's order: lstm i, f, c, o; gru z, r, h."""


@dataclass(frozen=True, kw_only=True)
class RnnSpec(ModelSpec):
    """One or more recurrent layers; the last one's output at the last valid step feeds the head.

    A bidirectional layer's last output is the forward run's at the last valid step beside the
    backward run's at the first step.
    """

    family: ClassVar[str] = "rnn"
    default_dataset: ClassVar[str] = "japanese_vowels"

    cell: str = option("gru", help="kind of recurrent cell", kind=str, choices=tuple(GATES))
    units: int = option(48, help="width of the recurrent state", kind=int, minimum=1)
    recurrent_layers: int = option(
        1, help="recurrent layers on top of each other", kind=int, minimum=1, below=101
    )
    bidirectional: bool = option(False, help="run forwards and backwards, concatenated", kind=bool)
    reset_after: bool = option(True, help="gru: reset gate after the recurrent product", kind=bool)
    unit_forget_bias: bool = option(True, help="lstm: forget bias starts at one", kind=bool)
    recurrent_initializer: str = option(
        "orthogonal", help="initial recurrent kernels", kind=str, choices=INITIALIZERS
    )
    variable_length: bool = option(
        True, help="mask the steps beyond each sequence's length", kind=bool
    )

    @classmethod
    def shape_for(cls, shape: tuple[int, ...], name: str) -> tuple[int, ...]:
        """Sequences as they are; an image's rows become the steps of one."""
        return (shape[0], math.prod(shape[1:]))

    @property
    def directions(self) -> tuple[str, ...]:
        """Name parts of the runs that make up one layer: none, or forward and backward."""
        return ("/forward", "/backward") if self.bidirectional else ("",)

    @property
    def width(self) -> int:
        """Features that a recurrent layer gives at each step."""
        return self.units * len(self.directions)

    def parameters(self) -> tuple[Parameter, ...]:
        """Kernel (in, gates·units), recurrent kernel (units, gates·units) and bias of each run.

        The bias is (gates·units,), but (2, gates·units) for a gru with ``reset_after``: its input
        and its recurrent bias, which both train.
        """
        rows: list[Parameter] = []
        gated, into = GATES[self.cell] * self.units, self.input_shape[-1]
        two_biases = self.cell == "gru" and self.reset_after
        forget = self.cell == "lstm" and self.unit_forget_bias
        for number in range(1, self.recurrent_layers + 1):
            # PyTorch scales every tensor of a recurrent layer by its hidden width
            fans = (
                (self.units,) * 2 if self.kernel_initializer == "torch_default" else (into, gated)
            )
            for direction in self.directions:
                name = f"rnn_{number}{direction}"
                rows += (
                    Parameter(f"{name}/kernel", (into, gated), self.kernel_initializer, fans),
                    Parameter(
                        f"{name}/recurrent_kernel",
                        (self.units, gated),
                        self.recurrent_initializer,
                        (self.units, gated),
                    ),
                    Parameter(
                        f"{name}/bias",
                        (2, gated) if two_biases else (gated,),
                        "unit_forget" if forget else self.bias_initializer,
                        (self.units, gated),
                    ),
                )
            into = self.width
        return (*rows, *self.hidden_parameters(into, ()))

    def layers(self) -> tuple[Layer, ...]:
        """Every recurrent layer (all but the last give each step), then the head.

        Raises:
            ParityError: the input is no sequence.
        """
        if len(self.input_shape) != 2:
            raise ParityError(
                f"input_shape: received {self.input_shape}, accepted: (steps, features)"
            )
        rows = [
            Layer(f"rnn_{number}", (self.input_shape[0], self.width))
            for number in range(1, self.recurrent_layers)
        ]
        return (*rows, Layer(f"rnn_{self.recurrent_layers}", (self.width,)), *self.head_layers())

    @classmethod
    def variants(cls) -> Mapping[str, Mapping[str, Any]]:
        """Cell × layers × directions × length, all of them, then each head."""
        cells: dict[str, dict[str, Any]] = {
            "simple": {"cell": "simple"},
            "lstm": {"cell": "lstm"},
            "gru_after": {"cell": "gru"},
            "gru_before": {"cell": "gru", "reset_after": False},
        }
        variants: dict[str, Mapping[str, Any]] = {}
        for (cell, fields), layers, both, variable in itertools.product(
            cells.items(), (1, 2), (False, True), (False, True)
        ):
            way = "bi" if both else "uni"
            name = f"{cell}-{layers}-{way}-{'variable' if variable else 'fixed'}"
            variants[name] = {
                **fields,
                # rows of a digit where every sequence is of one length, vowels where they differ
                "input_shape": (29, 12) if variable else (8, 8),
                "units": 7,
                "recurrent_layers": layers,
                "bidirectional": both,
                "variable_length": variable,
            }
        small = {"input_shape": (8, 8), "units": 7, "variable_length": False}
        return {
            **variants,
            "no_forget_bias": {**small, "cell": "lstm", "unit_forget_bias": False},
            "probabilities": {**small, "output": "probabilities"},
            "binary": {**small, "head": "sigmoid", "classes": 2},
            "binary_probabilities": {
                **small,
                "head": "sigmoid",
                "classes": 2,
                "output": "probabilities",
            },
        }
