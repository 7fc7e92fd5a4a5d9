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
from parity.pairs.report import Report

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

HEAD = """\
# Real pairs

Models that others wrote in both frameworks, and models that Keras ships against definitions from
the papers' tables (`parity_tests/real_pairs/`). All with random weights, Keras's copied over, and
evaluated; some are trained as well, by two steps of Adam on random targets. This page is generated:
`python -m parity_tests.real_pairs > docs/real_pairs.md`.

Layers that are fed alike stand apart by as much as said, relative to the largest entry; "1 more" is
a layer that stands farther apart: its fault, or, where the verdict is SAME, what comes to the same
with its neighbour's, such as a padding that is cut off again.
`dtype.float32`: TensorFlow code computes something in float32 whatever the model's dtype, and was
compared with that in float64, in training too (`parity explain dtype.float32`). Causes in brackets
are settings that differ and that evaluation does not show.

Trained are configurations without dropout. Dropout layers draw the same numbers on both sides, but
PyTorch's attention drops within a function, whose draws nobody can give it. Compared are the loss,
the gradient of every weight that both have, and the weights after the first and the second step;
not those that a kernel is made of, as with weight normalisation.
"""


def main() -> None:
    """Check, and print."""
    import keras
    import tf_keras

    from parity.pairs.check import check
    from parity_tests.real_pairs import pairs

    rooms = {
        f"`tf_keras.applications` {version('tf_keras')}": pairs.applications(tf_keras),
        f"`keras.applications` {version('keras')}": pairs.applications(keras),
        f"`transformers` {version('transformers')}": pairs.transformers(),
    }
    lines = [HEAD]
    for room, found in rooms.items():
        lines += [
            f"## {room}",
            "",
            "| model | verdict | dtype | layers compared | apart | trained | causes |",
        ]
        lines.append("| :-- | :-- | :-- | --: | --: | :-- | :-- |")
        notes = []
        for name, pair in found.items():
            began = time.perf_counter()
            given = {"torch_inputs": pair.torch_inputs, **pair.training()}
            report = check(pair.keras, pair.torch, pair.inputs, **given)
            print(f"{name}: {report.verdict}, {time.perf_counter() - began:.0f} s", file=sys.stderr)
            row = name, report.verdict.upper(), report.dtype, str(len(report.compared))
            within = [one.observed for one in report.compared if one.observed <= one.allowed]
            beyond = len(report.compared) - len(within)
            apart = f"{max(within):.0e}" + (f", {beyond} more" if beyond else "")
            trained = "2 steps" if "steps" in [one.name for one in report.rungs] else ""
            lines.append(f"| {' | '.join(row)} | {apart} | {trained} | {_told(report)} |")
            if pair.confirmed:
                notes.append(f"- **{name}**: {pair.confirmed}")
        lines += ["", *notes, ""] if notes else [""]
    print("\n".join(lines).rstrip())


def _told(report: Report) -> str:
    """Causes, those that do not show in brackets, and how often."""
    causes = Counter(f"`{cause.id}`" for cause in report.causes)
    causes += Counter(f"(`{cause.id}`)" for cause in report.latent)
    told = [f"{cause} in {count}" for cause, count in causes.items()]
    told += [f"`{ID}`" for note in report.notes if note.startswith(ID)]
    return ", ".join(told)


if __name__ == "__main__":
    main()
