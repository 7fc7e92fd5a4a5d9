"""Configurations and weights of modules and functions; every file registers what it reads."""

from parity.system.submodules import submodules

submodules(__name__)
