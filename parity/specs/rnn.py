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
    tokens: int = option(
        0,
        help="levels that inputs from 0 to 1 become whole numbers of, to be embedded; 0: none",
        kind=int,
        minimum=0,
        below=2**24,  # whole numbers beyond float32 could not tell apart
    )
    embedding: int = option(8, help="with tokens: width of the embedding", kind=int, minimum=1)
    variable_length: bool = option(
        True, help="mask the steps beyond each sequence's length", kind=bool
    )

    @classmethod
    def shape_for(
        cls, shape: tuple[int, ...], name: str, fields: Mapping[str, Any]
    ) -> tuple[int, ...]:
        """Sequences as they are; an image's rows become the steps, with tokens its every value."""
        if not fields.get("tokens"):
            return (shape[0], math.prod(shape[1:]))
        if len(shape) == 2 and shape[1] != 1:
            raise ParityError(
                f"tokens: received {fields['tokens']} with dataset {name}, whose sequences have "
                f"{shape[1]} features a step; accepted: with images, or with one feature a step"
            )
        return (math.prod(shape), 1)

    @property
    def features(self) -> int:
        """Features a step that the first recurrent layer takes."""
        return self.embedding if self.tokens else self.input_shape[-1]

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

        With tokens, before them, the embedding: a row for each, as wide as it is.
        The bias is (gates·units,), but (2, gates·units) for a gru with ``reset_after``: its input
        and its recurrent bias, which both train.
        """
        rows: list[Parameter] = []
        if self.tokens:
            table = (self.tokens, self.embedding)
            rows.append(Parameter("embedding/embeddings", table, "random_uniform", table))
        gated, into = GATES[self.cell] * self.units, self.features
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
        return (*rows, *self.head_parameters(into))

    def layers(self) -> tuple[Layer, ...]:
        """The embedding, every recurrent layer (all but the last give each step), the head.

        Raises:
            ParityError: the input is no sequence, or none that tokens can be made of.
        """
        if len(self.input_shape) != 2:
            raise ParityError(
                f"input_shape: received {self.input_shape}, accepted: (steps, features)"
            )
        if self.tokens == 1:
            raise ParityError("tokens: received 1, accepted: 0 (none), or 2 and more")
        if self.tokens and self.input_shape[1] != 1:
            raise ParityError(
                f"tokens: received {self.tokens} with {self.input_shape[1]} features a step, "
                "accepted: with one feature a step"
            )
        steps = self.input_shape[0]
        first = [Layer("embedding", (steps, self.embedding))] if self.tokens else []
        rows = [
            Layer(f"rnn_{number}", (steps, self.width))
            for number in range(1, self.recurrent_layers)
        ]
        last = Layer(f"rnn_{self.recurrent_layers}", (self.width,))
        return (*first, *rows, last, *self.head_layers())

    @classmethod
    def variants(cls) -> Mapping[str, Mapping[str, Any]]:
        """Cell × layers × directions × length, all of them; then tokens and each head."""
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
