"""Ways of comparing two models that give a wrong verdict, and a test for each that ours does not.

Each test first applies the wrong rule to a fault (or to a faithful port) and shows that it gives
the wrong verdict; then our comparison judges the same data. ``test_numbers`` compares synthetic
records, ``test_rounding`` covers allowances for rounding, and ``test_probing`` covers the choice
of weights, inputs and outputs, with real models.
"""

from __future__ import annotations

TRAPS: dict[str, str] = {
    "means are compared": "numbers.test_means",
    "signed differences cancel": "numbers.test_signed_differences",
    "NaN is made zero on both sides": "numbers.test_nan_on_both_sides",
    "argmax meets a NaN": "numbers.test_argmax_with_nan",
    "absolute or relative tolerance, whichever passes": "numbers.test_absolute_or_relative",
    "any transpose that fits is accepted": "numbers.test_any_transpose",
    "reshape as a last resort": "numbers.test_reshape",
    "tensors without a partner are skipped": "numbers.test_unmatched_tensors",
    "one layer is lost in an aggregate": "numbers.test_one_layer_in_an_aggregate",
    "steps in units of the last place near zero": "numbers.test_ulps_near_zero",
    "the triangle inequality as a check": "rounding.test_triangle_inequality",
    "the ratio of two single errors": "rounding.test_ratio_of_two_errors",
    "a fixed tolerance on chaotic weights": "rounding.test_fixed_tolerance_at_late_steps",
    "float64 that holds float32": "rounding.test_float32_within_float64",
    "float32 is given something else than float64": "rounding.test_unequal_inputs_of_the_dtypes",
    "float32 is blind on a CNN with batch norm": "rounding.test_float32_is_nearly_blind",
    "results hang on the number of threads": "rounding.test_thread_count",
    "constants rounded in one framework": "rounding.test_rounded_constants",
    "Adam makes steps of null gradients": "rounding.test_null_gradients",
    "float64 differs from the float32 that users run": "rounding.test_float64_follows_float32",
    "GRUs with zero biases": "probing.test_zero_biases",
    "all-ones inputs": "probing.test_all_ones_inputs",
    "evaluation mode alone": "probing.test_evaluation_alone",
    "gradients fall back to forward values": "probing.test_gradients_below_the_top",
    "padded steps mean nothing": "probing.test_padded_steps",
    "native dropout masks differ by dtype": "probing.test_native_masks",
    "set_floatx does nothing once there is a layer": "probing.test_set_floatx",
    "cross-entropy goes back to the logits": "probing.test_cross_entropy_on_probabilities",
}
"""Wrong rule to its test, as ``file.function`` without the file's ``test_``."""
