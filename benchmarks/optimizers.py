"""Print the difference between Keras's optimizers and ``torch_impl.optim`` after ten steps.

    python -m benchmarks.optimizers
    python -m benchmarks.optimizers --flavour keras3

Given Python floats, as in an ordinary script; in units in the last place of the largest weight.
"""

from __future__ import annotations

import argparse
import os

import numpy as np
from rich.console import Console
from rich.table import Table

from parity.adapters.backend import Settings, load
from parity.constants import DTYPES, FLAVOURS
from parity_tests.support.ten_steps import KERAS_OWN, both_frameworks_own


def main() -> None:
    """Print a row for every class and its arguments."""
    parser = argparse.ArgumentParser(description="Residuals of the optimizers.")
    parser.add_argument("--flavour", choices=FLAVOURS, default="tf_keras")
    flavour = parser.parse_args().flavour
    os.environ["PARITY_FLAVOUR"] = flavour
    load("keras", Settings(flavour))
    table = Table("optimizer", "given", *(f"{dtype}, ulp" for dtype in DTYPES))
    for kind, given in KERAS_OWN:
        cells = []
        for dtype in DTYPES:
            k, t = both_frameworks_own(kind, given, dtype, flavour)
            cells.append(f"{abs(k - t).max() / np.spacing(abs(k).max()):.2g}")
        table.add_row(kind, ", ".join(f"{name}={value}" for name, value in given.items()), *cells)
    Console().print(table)


if __name__ == "__main__":
    main()
