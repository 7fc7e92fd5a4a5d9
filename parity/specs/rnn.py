"""Recurrent classifier: (masked) sequence (→ embedding) → recurrent × layers → dense(classes)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from parity.errors import ParityError
from parity.options import option
from parity.reference.initializers import INITIALIZERS
from parity.specs.base import PENALTIES, Layer, ModelSpec, Parameter

GATES = {"simple": 1, "lstm": 4, "gru": 3}
"""Number of gates of each cell; Keras's order is i, f, c, o for lstm and z, r, h for gru."""


@dataclass(frozen=True, kw_only=True)
class RnnSpec(ModelSpec):
    """Recurrent layers, then a head on the last layer's output at the last valid step.

    The last output of a bidirectional layer is the forward output at the last valid step,
    concatenated with the backward output at the first step.
    """

    family: ClassVar[str] = "rnn"
    default_dataset: ClassVar[str] = "japanese_vowels"

    cell: str = option("gru", help="kind of recurrent cell", kind=str, choices=tuple(GATES))
    units: int = option(48, help="width of the recurrent state", kind=int, minimum=1)
    recurrent_layers: int = option(
        1, help="number of recurrent layers", kind=int, minimum=1, below=101
    )
    bidirectional: bool = option(False, help="concatenate forward and backward outputs", kind=bool)
    reset_after: bool = option(True, help="gru: apply the reset gate after the product", kind=bool)
    unit_forget_bias: bool = option(True, help="lstm: initialise the forget bias to one", kind=bool)
    recurrent_initializer: str = option(
        "orthogonal", help="initial recurrent kernels", kind=str, choices=INITIALIZERS
    )
    tokens: int = option(
        0,
        help="convert inputs in [0, 1] to this many tokens, and embed them; 0: no embedding",
        kind=int,
        minimum=0,
        below=2**24,  # float32 represents every whole number up to here
    )
    embedding: int = option(8, help="with tokens: width of the embedding", kind=int, minimum=1)
    variable_length: bool = option(True, help="mask the steps after each sequence's end", kind=bool)

    @classmethod
    def shape_for(
        cls, shape: tuple[int, ...], name: str, fields: Mapping[str, Any]
    ) -> tuple[int, ...]:
        """Use the rows of an image as steps; with tokens, each value is a step."""
        if not fields.get("tokens"):
            return (shape[0], math.prod(shape[1:]))
        if len(shape) == 2 and shape[1] != 1:
            raise ParityError(
                f"tokens: received {fields['tokens']} with dataset {name}, whose sequences have "
                f"{shape[1]} features per step; accepted: images, or one feature per step"
            )
        return (math.prod(shape), 1)

    @property
    def features(self) -> int:
        """Features per step of the first recurrent layer's input."""
        return self.embedding if self.tokens else self.input_shape[-1]

    @property
    def directions(self) -> tuple[str, ...]:
        """Suffixes of a layer's name for its directions: one empty, or forward and backward."""
        return ("/forward", "/backward") if self.bidirectional else ("",)

    @property
    def width(self) -> int:
        """Features per step of a recurrent layer's output."""
        return self.units * len(self.directions)

    def parameters(self) -> tuple[Parameter, ...]:
        """Return kernel (in, gates·units), recurrent kernel (units, gates·units) and bias.

        They exist for each layer and direction. The bias is (gates·units,); for a gru with
        ``reset_after`` it is (2, gates·units), the input and the recurrent bias. With tokens, the
        embedding (tokens, width) comes first.
        """
        rows: list[Parameter] = []
        if self.tokens:
            table = (self.tokens, self.embedding)
            rows.append(Parameter("embedding/embeddings", table, "random_uniform", table))
        gated, into = GATES[self.cell] * self.units, self.features
        two_biases = self.cell == "gru" and self.reset_after
        forget = self.cell == "lstm" and self.unit_forget_bias
        for number in range(1, self.recurrent_layers + 1):
            # PyTorch scales all tensors of a recurrent layer by its number of units
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
        return (*rows, *self.head_parameters(into))

    def layers(self) -> tuple[Layer, ...]:
        """Return embedding, recurrent layers (all but the last return every step) and head.

        Raises:
            ParityError: the input is not a sequence, or cannot be converted to tokens.
        """
        if len(self.input_shape) != 2:
            raise ParityError(
                f"input_shape: received {self.input_shape}, accepted: (steps, features)"
            )
        if self.tokens == 1:
            raise ParityError("tokens: received 1, accepted: 0 (none), or 2 or more")
        if self.tokens and self.input_shape[1] != 1:
            raise ParityError(
                f"tokens: received {self.tokens} with {self.input_shape[1]} features per step, "
                "accepted: one feature per step"
            )
        steps = self.input_shape[0]
        embedding = [Layer("embedding", (steps, self.embedding))] if self.tokens else []
        rows = [
            Layer(f"rnn_{number}", (steps, self.width))
            for number in range(1, self.recurrent_layers)
        ]
        last = Layer(f"rnn_{self.recurrent_layers}", (self.width,))
        return (*embedding, *rows, last, *self.head_layers())

    @classmethod
    def variants(cls) -> Mapping[str, Mapping[str, Any]]:
        """Return all of cell × layers × directions × length, then tokens and each head."""
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
                # the rows of a digit have one length, vowels have several
                "input_shape": (29, 12) if variable else (8, 8),
                "units": 7,
                "recurrent_layers": layers,
                "bidirectional": both,
                "variable_length": variable,
            }
        small = {"input_shape": (8, 8), "units": 7, "variable_length": False}
        tokens = {**small, "input_shape": (64, 1), "tokens": 17, "embedding": 4, "units": 5}
        return {
            **variants,
            "tokens-lstm": {**tokens, "cell": "lstm"},
            "tokens-gru": {**tokens, "cell": "gru"},
            "penalties": {**small, **PENALTIES, "bidirectional": True, "max_norm": 0.7},
            "non_negative": {**small, "reset_after": False, "non_negative": True},
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
