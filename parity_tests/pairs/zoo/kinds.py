"""All faithful pairs of single layers."""

from __future__ import annotations

from parity_tests.pairs.zoo.activation_kinds import ACTIVATIONS
from parity_tests.pairs.zoo.attention_kinds import ATTENTION
from parity_tests.pairs.zoo.convolution_kinds import CONVOLUTIONS
from parity_tests.pairs.zoo.forms import FORMS
from parity_tests.pairs.zoo.image_kinds import INSTANCES, RESIZED, SCALED
from parity_tests.pairs.zoo.merging_kinds import MERGES
from parity_tests.pairs.zoo.moving_kinds import MOVES
from parity_tests.pairs.zoo.plain_kinds import DENSE, DROPOUTS, NORMS
from parity_tests.pairs.zoo.pooling_kinds import POOLS
from parity_tests.pairs.zoo.sequence_kinds import SEQUENCES

ALL = [
    *DENSE,
    *CONVOLUTIONS,
    *POOLS,
    *NORMS,
    *INSTANCES,
    *RESIZED,
    *SCALED,
    *DROPOUTS,
    *MOVES,
    *MERGES,
    *ACTIVATIONS,
    *SEQUENCES,
    *ATTENTION,
    *FORMS,
]
