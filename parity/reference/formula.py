"""The settings of a loss, an optimizer or a schedule, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Settings:
    """The name of a formula and its constants."""

    kind: str
    values: Mapping[str, Any]
