"""Every kind of layer that both frameworks have, as pairs that users write."""

from __future__ import annotations

from parity_tests.pairs.activation_kinds import ACTIVATIONS
from parity_tests.pairs.attention_kinds import ATTENTION
from parity_tests.pairs.convolution_kinds import CONVOLUTIONS
from parity_tests.pairs.forms import FORMS
from parity_tests.pairs.merging_kinds import MERGES
from parity_tests.pairs.moving_kinds import MOVES
from parity_tests.pairs.plain_kinds import DENSE, DROPOUTS, NORMS
from parity_tests.pairs.pooling_kinds import POOLS
from parity_tests.pairs.sequence_kinds import SEQUENCES

ALL = [
    *DENSE,
    *CONVOLUTIONS,
    *POOLS,
    *NORMS,
    *DROPOUTS,
    *MOVES,
    *MERGES,
    *ACTIVATIONS,
    *SEQUENCES,
    *ATTENTION,
    *FORMS,
]
