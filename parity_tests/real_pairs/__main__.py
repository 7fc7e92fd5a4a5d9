"""Check every real pair and print the page ``docs/real_pairs.md``.

python -m parity_tests.real_pairs > docs/real_pairs.md
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from importlib.metadata import version

from parity.pairs.forward.float32_islands import ID
from parity.report.report import Report

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

HEAD = """\
# Real pairs

Published models that exist in both frameworks, and models of Keras's `applications` compared with
definitions written from the tables of their papers (`parity_tests/real_pairs/`). All use random
weights, copied from Keras, and are compared in evaluation mode; some are also trained, with two
steps of Adam on random targets. This page is generated:
`python -m parity_tests.real_pairs > docs/real_pairs.md`.

The column "error" is the largest relative error of a layer that receives equal inputs. "1 more" is
a layer with a larger error: the fault itself, or, if the verdict is SAME, a difference that a
neighbouring layer compensates, such as padding that is cropped again.
`dtype.float32`: TensorFlow code computes in float32 whatever the model's dtype; it was compared
with that part in float64, in training too (`parity explain dtype.float32`). Causes in brackets are
settings that differ without an effect in evaluation.

Only configurations without dropout are trained: dropout layers share their random draws, but
PyTorch's attention applies dropout inside a function, where the draws cannot be supplied. The
comparison covers the loss, the gradient of every weight that both models have, and the weights
after the first and the second step; it excludes weights that are combined into a kernel, as in
weight normalisation.
"""


def main() -> None:
    """Run all checks and print the page."""
    import keras
    import tf_keras

    from parity.pairs.check import check
    from parity_tests.real_pairs import pairs

    groups = {
        f"`tf_keras.applications` {version('tf_keras')}": pairs.applications(tf_keras),
        f"`keras.applications` {version('keras')}": pairs.applications(keras),
        f"`transformers` {version('transformers')}": pairs.transformers(),
    }
    lines = [HEAD]
    for group, found in groups.items():
        lines += [
            f"## {group}",
            "",
            "| model | verdict | dtype | layers compared | error | trained | causes |",
        ]
        lines.append("| :-- | :-- | :-- | --: | --: | :-- | :-- |")
        notes = []
        for name, pair in found.items():
            began = time.perf_counter()
            given = {"torch_inputs": pair.torch_inputs, **pair.training()}
            report = check(pair.keras, pair.torch, pair.inputs, **given)
            print(f"{name}: {report.verdict}, {time.perf_counter() - began:.0f} s", file=sys.stderr)
            row = name, report.verdict.upper(), report.dtype, str(len(report.compared))
            passed = [one.observed for one in report.compared if one.observed <= one.allowed]
            failed = len(report.compared) - len(passed)
            error = f"{max(passed):.0e}" + (f", {failed} more" if failed else "")
            trained = "2 steps" if "steps" in [one.name for one in report.rungs] else ""
            lines.append(f"| {' | '.join(row)} | {error} | {trained} | {_causes(report)} |")
            if pair.confirmed:
                notes.append(f"- **{name}**: {pair.confirmed}")
        lines += ["", *notes, ""] if notes else [""]
    print("\n".join(lines).rstrip())


def _causes(report: Report) -> str:
    """The causes with their counts; latent differences in brackets."""
    causes = Counter(f"`{cause.id}`" for cause in report.causes)
    causes += Counter(f"(`{cause.id}`)" for cause in report.latent)
    found = [f"{cause} in {count}" for cause, count in causes.items()]
    found += [f"`{ID}`" for note in report.notes if note.startswith(ID)]
    return ", ".join(found)


if __name__ == "__main__":
    main()
