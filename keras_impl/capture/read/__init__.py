"""The configuration and weights of Keras layers; every file registers the kinds that it reads."""

from parity.system.submodules import submodules

submodules(__name__)
