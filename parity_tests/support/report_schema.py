"""The JSON Schema of reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "report.schema.json").read_text("utf-8"))
ONE = Draft202012Validator({"$ref": "#/$defs/report", "$defs": SCHEMA["$defs"]})
ANY = Draft202012Validator(SCHEMA)


def errors(report: Any) -> list[str]:
    """Where one report does not follow the schema."""
    return [f"{error.json_path}: {error.message}" for error in ONE.iter_errors(report)]
