"""Faults in pairs as users write them, by subject; each module lists its own as ``FAULTS``."""

from __future__ import annotations

from parity.system.submodules import submodules
from parity_tests.support.fault import Fault, Pair

FAULTS: list[Fault[Pair]] = [
    fault for module in submodules(__name__) for fault in getattr(module, "FAULTS", ())
]
