"""Every fault of the twins is injected into users' pairs too, if it can occur there."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

from parity_tests.meta.faults import FAULTS
from parity_tests.pairs import faults

TWINS = list(dict.fromkeys(fault.name for fault in FAULTS))
PAIRS = {fault.name for fault in faults.FAULTS}

ALSO = {
    "layers.swapped_convolutions": "layers.swapped",
    "tensor.missing": "dense.missing_bias",
    "tensor.extra": "dense.bias_too_many",
    "activation.wrong_in_a_block": "activation.wrong",
    "value.float16_in_float32": "value.float16",
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
    "alpha_dropout.not_made_up_for": "dropout.plain_for_alpha",
    "alpha_dropout.to_zero": "dropout.plain_for_alpha",
    "noise.in_evaluation_too": "dropout.active_in_evaluation",
}
"""Fault of a twin to the fault of a pair that proves the same under another name."""

BATCH = "a check trains on one batch, which both models receive"
EPOCHS = "a check trains for steps, not for epochs"
OUTSIDE = "PyTorch's loss receives only outputs: a term can be missing, but not be another one"
DRAWN = "a check draws the random numbers of both models"
CANNOT = {
    "*.initial_*": "a check starts from equal weights",
    "lstm.forget_bias": "a check starts from equal weights",
    "dropout.mask_of_*": DRAWN,
    "noise.numbers_of_its_own": DRAWN,
    "augmentation.*": "the draws of augmentation layers are not shared, which the report mentions",
    "loss.class_weights_*": "a check has no weights of classes or examples",
    "loss.short_batch_*": BATCH,
    "data.*": BATCH,
    "l2.of_biases_too": OUTSIDE,
    "penalty.*": OUTSIDE,
    "constraint.*": "PyTorch's optimizers have no constraints: one can only be missing",
    "schedule.double_precision": "rates that are equal in float32 are equal to a check",
    "early_stopping.*": EPOCHS,
    "plateau.*": EPOCHS,
    "validation.*": EPOCHS,
    "average.not_taken_at_the_end": EPOCHS,
    "average.begins_otherwise": "PyTorch's optimizers have no average of the weights",
}
"""Fault of twins, by pattern, to the reason why it cannot occur in a pair that is checked."""


def ways(name: str) -> list[str]:
    """Where a twin's fault is accounted for; exactly one place is correct."""
    return [
        *[name for _ in range(name in PAIRS)],
        *[name for _ in range(ALSO.get(name) in PAIRS)],
        *[one for one in CANNOT if fnmatchcase(name, one) and name not in {*PAIRS, *ALSO}],
    ]


@pytest.mark.parametrize("name", TWINS)
def test_a_fault_of_the_twins_is_injected_into_pairs(name: str) -> None:
    """Under its name or another; or there is a reason why it cannot occur there."""
    assert len(ways(name)) == 1, ways(name)


def test_a_fault_that_no_table_has_is_seen() -> None:
    """A new name is accounted for nowhere."""
    assert ways("conv.something_new") == []


def test_every_reason_is_needed() -> None:
    """Each is for a fault that exists and that has no entry of its own."""
    assert {*ALSO} <= {*TWINS} - PAIRS
    assert {*ALSO.values()} <= PAIRS
    rest = {*TWINS} - PAIRS - {*ALSO}
    assert all(any(fnmatchcase(name, one) for name in rest) for one in CANNOT)
