"""All demonstrations, and all configurations that the references are compared with Keras on."""

from __future__ import annotations

from parity.system.submodules import submodules
from parity_tests.catalogue import Demonstration

MODULES = {one.__name__.split(".")[-1]: one for one in submodules("parity_tests.catalogue")}

REFERENCES = {name: one.REFERENCES for name, one in MODULES.items() if hasattr(one, "REFERENCES")}
"""Name of a file of :mod:`parity.reference.layers` to configurations, inputs and options."""

DEMONSTRATIONS: dict[str, Demonstration] = {
    name: shown
    for one in MODULES.values()
    for name, shown in getattr(one, "DEMONSTRATIONS", {}).items()
}
"""Id of a difference to its demonstration."""
