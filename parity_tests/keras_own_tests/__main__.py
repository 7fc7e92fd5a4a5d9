"""Print how many of Keras 3's own tests pass with ``torch_impl``, and why the others do not apply.

``python -m parity_tests.keras_own_tests > docs/keras_own_tests.md``
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import sys
from collections import Counter
from collections.abc import Iterator

from parity_tests.keras_own_tests import exceptions, loading


def table(outcomes: list[loading.Outcome]) -> Iterator[str]:
    """The page, line by line."""
    version = importlib.metadata.version("keras")
    yield "# Keras's own unit tests, run with `torch_impl`\n"
    yield (
        f"Keras {version} ships its unit tests in its wheel. Those of its constraints, losses, "
        "metrics, optimizers,\nschedules and regularizers run here with the classes of "
        "`torch_impl` instead of Keras's: an adapter takes\nKeras's arguments, converts arrays and "
        "calls `torch_impl`. No line of a test changes but for its imports, and a\ntest counts as "
        "passed only if `torch_impl` computed a result in it. This page is written by\n"
        "`python -m parity_tests.keras_own_tests`.\n"
    )
    yield "| Tests of | passed | not applicable | skipped by Keras |\n|---|--:|--:|--:|"
    total: Counter[str] = Counter()
    for file in loading.files():
        found = Counter(one.result for one in outcomes if one.test.startswith(f"{file}::"))
        total += found
        yield _row(f"`{file}`", found)
    yield _row("**all**", total)
    yield "\n| Not applicable, because of | tests |\n|---|--:|"
    failed = [one for one in outcomes if one.result in (loading.FAILED, loading.UNUSED)]
    counts: Counter[str] = Counter()
    for one in failed:
        counts[next((r.text for r in exceptions.REASONS if _is_of(r, one)), "**no reason**")] += 1
    for text, count in counts.most_common():
        yield f"| {text} | {count} |"


def _is_of(reason: exceptions.Reason, outcome: loading.Outcome) -> bool:
    return reason.covers(outcome.test) and reason.explains(outcome)


def _row(name: str, found: Counter[str]) -> str:
    others = found[loading.FAILED] + found[loading.UNUSED]
    return f"| {name} | {found[loading.PASSED]} | {others} | {found[loading.SKIPPED]} |"


def main() -> int:
    """Print the page; 1 if a test fails without a reason."""
    os.environ["PARITY_FLAVOUR"] = "keras3"
    import keras_impl.framework  # noqa: F401  which sets up Keras 3

    with contextlib.redirect_stdout(sys.stderr):  # where Keras prints its progress
        outcomes = [one for file in loading.files() for one in loading.run(file)]
    print("\n".join(table(outcomes)))
    found = exceptions.problems(outcomes)
    print(*found, sep="\n", file=sys.stderr)
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
