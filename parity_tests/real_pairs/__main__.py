"""Check every real pair and print the page ``docs/real_pairs.md``.

python -m parity_tests.real_pairs > docs/real_pairs.md
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from importlib.metadata import version

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

HEAD = """\
# Real pairs

Models that others wrote in both frameworks, and models that Keras ships against definitions from
the papers' tables (`parity_tests/real_pairs/`). All with random weights, Keras's copied over, in
float64 and evaluation. This page is generated: `python -m parity_tests.real_pairs >
docs/real_pairs.md`.
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
        lines += [f"## {room}", "", "| model | verdict | layers compared | causes |"]
        lines.append("| :-- | :-- | --: | :-- |")
        notes = []
        for name, pair in found.items():
            began = time.perf_counter()
            report = check(pair.keras, pair.torch, pair.inputs, torch_inputs=pair.torch_inputs)
            print(f"{name}: {report.verdict}, {time.perf_counter() - began:.0f} s", file=sys.stderr)
            causes = Counter(cause.id for cause in report.causes)
            told = ", ".join(f"`{cause}` in {count}" for cause, count in causes.items())
            verdict = report.verdict.upper()
            lines.append(f"| {name} | {verdict} | {len(report.compared)} | {told} |")
            if pair.confirmed:
                notes.append(f"- **{name}**: {pair.confirmed}")
        lines += ["", *notes, ""] if notes else [""]
    print("\n".join(lines).rstrip())


if __name__ == "__main__":
    main()
