"""Known differences between the frameworks' metrics."""

from __future__ import annotations

from parity.reference.difference import Difference

DIFFERENCES = (
    Difference(
        id="metric.top_k_ties",
        kind="metrics",
        title="a tie counts as correct in Keras, arbitrarily in PyTorch",
        what="Keras's top-k counts an example as correct if fewer than k outputs are strictly "
        "greater than the target's. torch.topk picks k indices, arbitrary ones among equal "
        "outputs.",
        why="Untrained and saturated models have many ties.",
        to_torch="(scores > scores[target]).sum(-1) < k",
        size=0.8,
        measured="20 examples of 5 equal outputs, k = 1",
        rung="predictions",
        source="tensorflow/core/kernels/in_topk_op.h",
    ),
    Difference(
        id="metric.auc_thresholds",
        kind="metrics",
        title="200 thresholds in Keras, an exact count elsewhere",
        what="Keras's AUC sums trapezoids between 200 thresholds. Exact implementations count "
        "ordered pairs.",
        why="Keras accumulates it batch by batch in bounded memory.",
        to_torch="the same thresholds, −1e-7, 1/199, …, 1 + 1e-7, and trapezoids between them",
        to_keras="a large num_thresholds",
        size=0.006,
        measured="100 probabilities, all below 0.02",
        rung="predictions",
        source="tf_keras/src/metrics/confusion_metrics.py (AUC)",
    ),
    Difference(
        id="metric.binary_threshold",
        kind="metrics",
        title="BinaryAccuracy uses the threshold ½, for logits as well",
        what="An output counts as 1 if it is strictly greater than 0.5, even if it is a logit. A "
        "port that computes on logits uses 0.",
        why="The metric 'accuracy' does not take from_logits into account.",
        to_torch="outputs > 0.5 to agree with Keras; > 0 is correct for logits",
        to_keras="BinaryAccuracy(threshold=0) for logits",
        size=0.2,
        measured="accuracy of 50 standard normal logits",
        rung="predictions",
        source="keras/src/metrics/accuracy_metrics.py",
    ),
    Difference(
        id="metric.argmax_nan",
        kind="metrics",
        title="argmax ignores NaN in Keras, selects it in PyTorch",
        what="tf.argmax skips NaN, torch.argmax returns the first NaN's index.",
        why="Only diverged models show it, in their accuracy.",
        to_torch="torch.where(x.isnan(), -inf, x).argmax(-1)",
        size=1,
        measured="predicted classes of 3 examples with one NaN each",
        rung="predictions",
        source="tensorflow/core/kernels/argmax_op.h",
    ),
)
