"""Faults in the project's own models, by subject; each module lists its own as ``FAULTS``."""

from __future__ import annotations

from parity.system.submodules import submodules
from parity_tests.support.fault import Fault, Twins

FAULTS: list[Fault[Twins]] = [fault for module in submodules(__name__) for fault in module.FAULTS]
