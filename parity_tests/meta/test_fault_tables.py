"""What is planted into the twins is planted into users' own pairs as well, where it can be met."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

from parity_tests.meta.faults import FAULTS
from parity_tests.pairs.faults.planted import ROWS

PLANTED = {row.name for row in ROWS}

ALSO = {
    "dense.transposed_square_kernel": "dense.square_kernel_as_it_is",
    "layers.swapped_convolutions": "layers.swapped",
    "tensor.missing": "dense.missing_bias",
    "tensor.extra": "dense.bias_too_many",
    "activation.wrong_in_a_block": "activation.wrong",
    "value.float16_in_float32": "value.float16",
    "conv.kernel_transposed": "conv.kernel_turned",
    "batch_norm.bessel": "batch_norm.running_variance",
    "dropout.spatial_active_in_evaluation": "dropout.active_in_evaluation",
    "rnn.recurrent_kernel_transposed": "simple_rnn.recurrent_kernel_as_it_is",
    "rnn.both_biases_train": "simple_rnn.two_biases",
    "rnn.mask_ignored": "simple_rnn.mask_ignored",
    "rnn.last_step_for_last_valid": "lstm.mask_ignored",
    "rnn.backward_at_the_end": "simple_rnn.backward_at_the_end",
    "embedding.row_0_frozen": "embedding.padding_idx",
    "loss.hinge_of_zero_and_one": "loss.hinge_labels",
    "loss.divergence_not_clipped": "loss.kl_divergence",
    "loss.divergence_by_all_entries": "loss.kl_divergence",
    "adam.slots_not_carried": "optimizer.slots_not_carried",
    "adamax.norm_forgets_otherwise": "adamax.beta_2",
    "schedule.once_an_epoch": "schedule.left_out",
    "average.momentum": "average.left_out",
    "average.does_not_overwrite": "average.left_out",
    "data.scale": "input.scaled",
    "data.float16": "value.float16",
    "gaussian_dropout.stddev": "dropout.rate_for_deviation",
    "alpha_dropout.not_made_up_for": "dropout.plain_for_alpha",
    "alpha_dropout.to_zero": "dropout.plain_for_alpha",
    "noise.variance_for_stddev": "noise.variance_for_deviation",
    "noise.in_evaluation_too": "dropout.active_in_evaluation",
}
"""Fault of a twin to the same one, planted into a pair under another name."""

BATCH = "a check trains on one batch, which both are given"
EPOCHS = "a check takes steps, not epochs"
OUTSIDE = "PyTorch's loss sees outputs alone: what it may lack is planted, not what it may have"
DRAWN = "a check draws what both drop and add"
CANNOT = {
    "*.initial_*": "a check begins with the same weights",
    "lstm.forget_bias": "a check begins with the same weights",
    "dropout.mask_of_*": DRAWN,
    "noise.numbers_of_its_own": DRAWN,
    "augmentation.*": "what layers of augmentation draw is not drawn for both, which is told",
    "loss.class_weights_*": "a check takes no weights of classes or examples",
    "loss.short_batch_*": BATCH,
    "data.*": BATCH,
    "l2.of_biases_too": OUTSIDE,
    "penalty.*": OUTSIDE,
    "constraint.*": "PyTorch's optimizer has no constraints: what it may lack is planted",
    "schedule.double_precision": "rates that are one in float32 are one to a check",
    "early_stopping.*": EPOCHS,
    "plateau.*": EPOCHS,
    "validation.*": EPOCHS,
    "average.not_taken_at_the_end": EPOCHS,
    "average.begins_otherwise": "PyTorch's optimizers average nothing, the port's as Keras's do",
}
"""Faults of twins, by pattern, to why a user's pair that is checked cannot have them."""


def ways(name: str) -> list[str]:
    """Where a twin's fault is accounted for; once, if all is well."""
    return [
        *[name for _ in range(name in PLANTED)],
        *[name for _ in range(ALSO.get(name) in PLANTED)],
        *[one for one in CANNOT if fnmatchcase(name, one) and name not in {*PLANTED, *ALSO}],
    ]


@pytest.mark.parametrize("name", [fault.name for fault in FAULTS])
def test_a_fault_of_the_twins_is_planted_into_pairs(name: str) -> None:
    """By its name or another; or it is told why it cannot be met there."""
    assert len(ways(name)) == 1, ways(name)


def test_a_fault_that_no_table_has_is_seen() -> None:
    """Of a name that is nowhere, nothing is known."""
    assert ways("conv.something_new") == []


def test_no_reason_is_left_over() -> None:
    """Each is of a fault that there is, and is needed."""
    names = {fault.name for fault in FAULTS}
    assert {*ALSO} <= names - PLANTED
    assert {*ALSO.values()} <= PLANTED
    left = names - PLANTED - {*ALSO}
    assert all(any(fnmatchcase(name, one) for name in left) for one in CANNOT)
