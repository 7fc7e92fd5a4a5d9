"""Keras's tests that do not apply to ``torch_impl``, each with its reason.

Every entry is checked: a test that it names must not pass with results of ``torch_impl``, and must
fail in the way that the reason states. The numbers are printed by
``python -m parity_tests.keras_own_tests``.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass

from parity_tests.keras_own_tests.loading import FAILED, PASSED, UNUSED, Outcome


@dataclass(frozen=True)
class Reason:
    """Why some tests do not apply.

    Attributes:
        text: the reason, for the table.
        evidence: regular expression that the failure of each of them contains.
        tests: patterns of ``file::class::method``, as :mod:`fnmatch` takes them.
    """

    text: str
    evidence: str
    tests: tuple[str, ...]

    def covers(self, test: str) -> bool:
        return any(fnmatch.fnmatchcase(test, pattern) for pattern in self.tests)

    def explains(self, outcome: Outcome) -> bool:
        """Whether an outcome is what the reason states."""
        if outcome.result == UNUSED:
            return True
        return outcome.result == FAILED and re.search(self.evidence, outcome.details) is not None


REASONS = (
    Reason(
        "Keras's configuration, copies, names and look-up of objects; PyTorch's modules and "
        "optimizers have `state_dict` and `copy` instead",
        r"get_config|from_config|has no get\b|has no attribute '(name|beta|num_thresholds|"
        r"class_aggregation)'|from_sorted_ids|'<' not supported between instances of 'NoneType'",
        (
            *("*::test_config", "*::test_get_method", "*::test_pickle*", "*config_from_sorted_ids"),
            *(
                "constraints/*config",
                "constraints/*roundtrip",
                "regularizers/*::test_l1l2_get_con*",
            ),
            *("*::AUCTest::test_config_*", "*AUCTest::test_manual_thresholds"),
            *("metrics/regression*::test_config", "*::test_optimizer_auto_naming"),
        ),
    ),
    Reason(
        "the value is refused, but with this project's message (received, accepted)",
        r"does not match \"[^\"]*received",
        (
            "losses/*HingeTest::test_unweighted",
            "losses/loss_test.py::LossTest::test_reduction",
            "losses/losses_test.py::*::test_shape_mismatch",
            "metrics/*::test_unweighted_class_id_should_throw_error_1d",
            *("metrics/*::AUCTest::test_invalid_*", "metrics/*::*At*Test::test_invalid_*"),
            "metrics/confusion*::test_threshold_limit",
            "metrics/f_score*::test_beta_negative_*",
            "metrics/f_score*::test_beta_zero_*",
            "metrics/f_score*::test_invalid_average_*",
            "metrics/f_score*::test_threshold_[anz]*_*",
            "metrics/regression*::R2ScoreTest::test_errors",
            "optimizers/ftrl_test.py::FtrlTest::test_invalid_*",
            "optimizers/lion_test.py::*::test_invalid_beta_1",
            "optimizers/optimizer_test.py::*::test_clip_args",
            "optimizers/sgd_test.py::*::test_invalid_momentum",
        ),
    ),
    Reason(
        "types that Keras checks at run time and annotations exclude here: None, a string, or an "
        "integer for a float",
        r"not supported between instances|ValueError not raised",
        (
            "metrics/f_score*::test_beta_[ins]*_type_*",
            "metrics/f_score*::test_threshold_not_float_*",
            "metrics/f_score*::test_threshold_string_*",
            "optimizers/adamw_test.py::*::test_weight_decay_is_none",
        ),
    ),
    Reason(
        "a class that `torch_impl` omits",
        r"torch_impl has no (Circle|CategoricalGeneralizedCrossEntropy|"
        r"PearsonCorrelation|ConcordanceCorrelation|Metric|Mean|"
        r"MeanMetricWrapper|Sum|LossScaleOptimizer|MultiOptimizer|OptimizerMap|Optimizer|"
        r"ScheduleFreeAdamW|OrthogonalRegularizer|validate_float_arg|Constraint|"
        r"(pearson|concordance)_correlation)\b|'(pearson|concordance)_corr|'(from_config|name)'",
        (
            "losses/*::CircleTest::*",
            "losses/*::CategoricalGeneralizedCrossEntropyTest::*",
            "metrics/correlation*::*",
            *("metrics/metric_test.py::*", "metrics/reduction*::[SM]*::test_[!b]*"),
            *("optimizers/loss_scale*::*", "optimizers/multi*::*", "optimizers/schedule_free*::*"),
            *("regularizers/*::test_orthogonal_*", "regularizers/*::ValidateFloatArgTest::*"),
            "constraints/*::test_default_constraint_call",
        ),
    ),
    Reason(
        "trains or compiles a Keras model, which takes Keras's own objects only",
        r"Could not interpret optimizer identifier|symbolic tf.Tensor|2 != 1",
        (
            *("metrics/*::RecallAt*::test_end_to_end", "metrics/*::test_handles_sas_metrics"),
            *("metrics/*::test_keras_model_compiles", "metrics/*::test_compilation"),
            *("optimizers/adam_test.py::*::test_ema", "optimizers/lion_test.py::*::test_ema"),
            *("optimizers/*::test_clipnorm_indexed_slices", "optimizers/*::test_model_fit"),
            *("optimizers/*::test_ema_with_model_fit", "optimizers/*::test_tf_checkpointing"),
            *(
                "optimizers/*::test_setting_lr_to_callable*",
                "optimizers/*::test_fit_lr_correctness",
            ),
        ),
    ),
    Reason(
        "gradients as TensorFlow's IndexedSlices; PyTorch's optimizers get dense ones here",
        r"has no attribute 'apply'|does not have the attribute|has no (Optimizer|LossSc)",
        ("optimizers/*::test_sparse_gradients_*", "optimizers/*::test_sparse_correctness_*"),
    ),
    Reason(
        "variables and methods that Keras has for itself",
        r"no attribute '(lr_adjust|set_weights|path|_build|add_variable)'|empty parameter list",
        (
            "metrics/f_score*::test_non_2d_*",
            "metrics/f_score*::test_undefined_output_dim_*",
            "metrics/iou*::test_big_chunk",
            "optimizers/muon_test.py::*::test_lr_adjust_*",
            "optimizers/nadam_test.py::*::test_build_with_empty_var_list",
            "optimizers/optimizer_test.py::*::test_mixed_with_tf_variables",
            "optimizers/optimizer_test.py::*::test_set_weights",
        ),
    ),
    Reason(
        "scaled losses and variables that a gradient overwrites, for float16 and float8",
        r"scale_loss|overwrite_with_gradient",
        (
            "optimizers/optimizer_test.py::*::test_static_loss_scaling",
            "optimizers/optimizer_test.py::*::test_overwrite_with_gradient*",
        ),
    ),
    Reason(
        "Keras's dtype policies, an attribute of its losses",
        r"float32|AttributeError not raised",
        ("losses/loss_test.py::*::test_default_dtype", "losses/loss_test.py::*::test_dtype_arg"),
    ),
    Reason(
        "the TensorFlow backend refuses `axis=0`; `torch_impl` accepts every axis",
        r"DID NOT RAISE ValueError",
        ("losses/*::SparseCategoricalCrossentropyTest::*_different_axis",),
    ),
    Reason(
        "labels (2, 1) for outputs (1, 2, 3): Keras broadcasts what does not fit, here an error",
        r"target: received shape \(2, 1\), accepted: \(1, 2\)",
        ("metrics/accuracy*::test_reshape_matches",),
    ),
    Reason(
        "the option `from_sorted_ids`, for outputs that are sorted already",
        r"from_sorted_ids",
        ("metrics/accuracy*::test_from_sorted_ids_*",),
    ),
    Reason(
        "a step without any gradient: Keras raises an error, PyTorch's optimizers do nothing",
        r"ValueError not raised",
        ("optimizers/optimizer_test.py::*::test_empty_gradients",),
    ),
    Reason(
        "a warning that float weights are truncated to integers; here the docstring states it",
        r"Emitted warnings: \[\]",
        ("metrics/iou*::test_user_warning_float_weight",),
    ),
)
"""Every reason."""


def problems(outcomes: list[Outcome]) -> list[str]:
    """What is wrong: failures without a reason, and reasons that do not hold.

    Args:
        outcomes: of any number of tests.
    """
    found = []
    for outcome in outcomes:
        reasons = [one for one in REASONS if one.covers(outcome.test)]
        failed = outcome.result in (FAILED, UNUSED)
        if failed and not any(one.explains(outcome) for one in reasons):
            found.append(f"{outcome.test}: {outcome.result}, without a reason\n{outcome.details}")
        elif reasons and outcome.result == PASSED:
            found.append(f"{outcome.test} passes, but has the reason: {reasons[0].text}")
    return found
