"""Options and fixtures of the whole suite."""

from __future__ import annotations

import os

import pytest

from parity.backend import Backend, Settings
from parity.constants import FLAVOURS


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--flavour", choices=FLAVOURS, default="tf_keras", help="the Keras to test")
    parser.addoption(
        "--full", action="store_true", help="every variant with every optimizer, not one in turn"
    )


def pytest_configure(config: pytest.Config) -> None:
    os.environ["PARITY_FLAVOUR"] = config.getoption("--flavour")


@pytest.fixture(scope="session")
def flavour(request: pytest.FixtureRequest) -> str:
    return request.config.getoption("--flavour")


@pytest.fixture(scope="session")
def settings(flavour: str) -> Settings:
    return Settings(flavour=flavour, device="cpu", threads=1)


@pytest.fixture(scope="session")
def keras_backend(settings: Settings) -> Backend:
    from keras_impl.backend import KerasBackend

    return KerasBackend(settings)


@pytest.fixture(scope="session")
def torch_backend(settings: Settings) -> Backend:
    from torch_impl.backend import TorchBackend

    return TorchBackend(settings)
